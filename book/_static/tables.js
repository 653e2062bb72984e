// A table that is wider than the page scrolls by itself; with the keyboard only if it can be focused.
function letTablesScroll() {
  for (const table of document.querySelectorAll(".bd-article table.table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }
}
addEventListener("load", letTablesScroll);
addEventListener("resize", letTablesScroll);
