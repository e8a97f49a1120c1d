"use strict";
// The page is whole without this; it adds sorting, the filter, links into closed parts, and what printing needs.
(() => {
  const table = document.querySelector(".sortable");
  const body = table && table.tBodies[0];

  const keyOf = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent;
    if (!numeric) return text;
    return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };

  const sortBy = (head) => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    const numeric = head.dataset.kind === "n";
    const column = head.cellIndex;
    const keyed = Array.from(body.rows, (row) => [keyOf(row, column, numeric), row]);
    keyed.sort(([a], [b]) => {
      // What has no value stays at the end, whichever way round.
      if (a === null || b === null) return (a === null) - (b === null);
      const order = numeric ? a - b : a < b ? -1 : a > b ? 1 : 0;
      return ascending ? order : -order;
    });
    body.append(...keyed.map(([, row]) => row));
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  };

  if (table) {
    for (const head of table.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => sortBy(head));
    const field = document.getElementById("filter");
    const filter = () => {
      const wanted = field.value.toLowerCase();
      let count = 0;
      for (const row of body.rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        count += !row.hidden;
      }
      document.getElementById("shown").textContent = wanted ? `${count} of ${body.rows.length} shown` : "";
    };
    field.addEventListener("input", filter);
    if (field.value) filter();
  }

  const openTarget = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target || !target.closest("details")) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
    // The browser moves the focus itself once it has drawn the page: after that it is ours to move.
    const focus = () => target.querySelector("summary").focus({ preventScroll: true });
    requestAnimationFrame(() => requestAnimationFrame(focus));
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  // Paper cannot be clicked: a few results are printed with what is inside them.
  let opened = [];
  addEventListener("beforeprint", () => {
    const closed = Array.from(document.querySelectorAll("#health details:not([open])"));
    opened = document.querySelectorAll("#health .result").length <= 30 ? closed : [];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
  });

  // For the tests: what is wider than the window can be seen from outside.
  document.documentElement.dataset.scrollWidth = document.documentElement.scrollWidth;
  document.documentElement.dataset.innerWidth = window.innerWidth;
})();
