// The sampling panel. What it says is kept in this browser.

const DEFAULTS = {
  system: "", temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0, repetition_penalty: 1, max_tokens: 256, seed: "", stop: "",
};

export class Settings {
  constructor(form) {
    this.form = form;
    this.fill({ ...DEFAULTS, ...JSON.parse(localStorage.getItem("settings") ?? "{}") });
    form.addEventListener("input", () => localStorage.setItem("settings", JSON.stringify(this.values())));
    form.querySelector("#reset-settings").addEventListener("click", () => {
      this.fill(DEFAULTS);
      localStorage.removeItem("settings");
    });
  }

  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      if (name in DEFAULTS) this.form.elements[name].value = value;
    }
  }

  values() { return Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, this.form.elements[name].value])); }

  /** Throws what is wrong with the first wrong field; it has the focus then. */
  check() {
    const wrong = [...this.form.elements].find((element) => !element.checkValidity());
    if (!wrong) return;
    wrong.focus();
    throw new Error(`${wrong.labels[0].firstChild.textContent.trim()}: ${wrong.validationMessage}`);
  }

  get system() { return this.form.elements.system.value.trim(); }

  /** The fields of a request. */
  request() {
    const body = {};
    for (const name of ["temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_tokens", "seed"]) {
      const text = this.form.elements[name].value;
      if (text !== "") body[name] = Number(text);
    }
    const stop = this.form.elements.stop.value.split("\n").filter((line) => line !== "");
    if (stop.length > 0) body.stop = stop;
    return body;
  }
}
