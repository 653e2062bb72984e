// A table that is wider than the page scrolls by itself; with the keyboard only if it can be focused.
const widths = new ResizeObserver((seen) => {
  for (const { target: table } of seen) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
});
addEventListener("load", () => {
  for (const table of document.querySelectorAll(".bd-article table.table")) widths.observe(table);
});
