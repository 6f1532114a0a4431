// Pages work without this; it spares a click. What is chosen in a form is carried out at once, unless it is typed.
for (const field of document.querySelectorAll("form.asks select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
