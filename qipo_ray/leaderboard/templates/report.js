"use strict";
// Tables sort by a click on a header, or by Enter on it; texts stay where they are without this.
function order(table, column, direction) {
  const body = table.tBodies[0];
  const key = (row) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const empty = (row) => row.cells[column].textContent === "–";
  const compare = (a, b) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b); // what is missing comes last, always
    const [x, y] = [key(a), key(b)];
    const numbers = typeof x === "number" && typeof y === "number";
    return direction * (numbers ? x - y : String(x).localeCompare(String(y)));
  };
  body.append(...[...body.rows].sort(compare));
}
for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "descending";
      const first = !head.hasAttribute("aria-sort") && head.classList.contains("number");
      const direction = first || (!down && head.hasAttribute("aria-sort")) ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
      order(table, column, direction);
    });
    head.replaceChildren(button);
  });
}
const theme = document.getElementById("theme");
const root = document.documentElement;
const dark = () =>
  root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
theme.hidden = false;
name();
