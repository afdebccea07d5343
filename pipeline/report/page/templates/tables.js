// Tools of every table: a filter where there are many rows, copying, saving as CSV. Sorting is sortable.min.js.
"use strict";

function textOf(cell) {
  const copy = cell.cloneNode(true);
  copy.querySelectorAll("small, .tools").forEach((each) => each.remove());
  return [...copy.childNodes].map((each) => each.textContent.trim()).filter(Boolean).join(" ");
}

function rowsOf(table) {
  return [...table.tHead.rows, ...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(textOf));
}

function quoted(text) {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(table, name) {
  const csv = rowsOf(table).map((row) => row.map(quoted).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${csv}\r\n`], { type: "text/csv" }));
  link.download = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy(table, button) {
  await navigator.clipboard.writeText(rowsOf(table).map((row) => row.join("\t")).join("\n"));
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function button(text, label, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => press(made));
  return made;
}

function filter(table, name) {
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Filter rows";
  field.setAttribute("aria-label", `Filter rows of ${name}`);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  return field;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const name = table.caption.textContent.trim();
  const tools = document.createElement("span");
  tools.className = "tools";
  if ("searched" in table.dataset || table.tBodies[0].rows.length > 8) tools.append(filter(table, name));
  tools.append(button("Copy", `Copy ${name}`, (own) => copy(table, own)));
  tools.append(button("CSV", `Save ${name} as CSV`, () => save(table, name)));
  table.caption.append(tools);
}
