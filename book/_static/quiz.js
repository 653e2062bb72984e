// Counts, in each quiz of a page, how many questions were answered, and how many right at the first try.
// The quizzes work without it: they are plain <details>, whose explanations open where they are clicked.
for (const quiz of document.querySelectorAll(".quiz")) {
  const questions = new Set([...quiz.querySelectorAll("details")].map((option) => option.getAttribute("name")));
  const firsts = new Map();
  const score = document.createElement("p");
  score.className = "score";
  score.setAttribute("role", "status");
  quiz.append(score);
  quiz.addEventListener("toggle", ({ target }) => {
    if (!target.open) return;
    const question = target.getAttribute("name");
    if (!firsts.has(question)) firsts.set(question, target.classList.contains("right"));
    const right = [...firsts.values()].filter(Boolean).length;
    score.textContent = firsts.size < questions.size
      ? `${firsts.size} of ${questions.size} questions answered.`
      : `${right} of ${questions.size} right at the first try.`;
  }, true);
}
