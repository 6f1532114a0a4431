// Pages work without this; it spares a click. A choice in a form is carried out at once.
for (const field of document.querySelectorAll("form.asks select, form.asks input[type=date]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
