"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const studies = new Map(read("studies").map((study) => [study.name, study]));
const arms = read("arms").map((arm, number) => ({ ...arm, number, of: studies.get(arm.study) }));

const percent = (number) => `${number} %`;
const share = (arm) => Math.round((100 * arm.epochs * arm.rounds) / arm.dense_epochs);
// what can be shown: in the form, and in full
const MEASURES = {
  to_dense: ["vs dense", "difference to the dense network, points"],
  to_baseline: ["vs baseline", "difference to the study’s baseline, points"],
  test: ["test accuracy", "test accuracy, %"],
};
// what can be filtered: its label, an arm's value, and how a value is written
const FILTERS = {
  study: ["Study", (arm) => arm.study, String],
  data: ["Data", (arm) => arm.of.data, String],
  network: ["Network", (arm) => arm.of.network, String],
  method: ["Pruning method", (arm) => arm.method, String],
  kept: ["Parameters kept", (arm) => arm.kept, percent],
  budget: ["Budget, T / E", share, percent],
  schedule: ["Schedule", (arm) => arm.line, String],
};
const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
if (!(state.measure in MEASURES)) state.measure = "to_dense";

/** Make an element: its class, attributes, and children, of which text stays text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function value_of(name, arm) {
  return String(FILTERS[name][1](arm));
}

/** The arms that pass all filters, but for one of them. */
function passing(but = null) {
  const asked = Object.keys(FILTERS).filter((name) => name !== but && state[name]);
  return arms.filter((arm) => asked.every((name) => value_of(name, arm) === state[name]));
}

function choice(label, name, options, chosen) {
  const select = make("select", { name });
  for (const [value, text] of options) {
    const option = make("option", { value }, text);
    option.selected = value === chosen;
    select.append(option);
  }
  return make("label", {}, label, select);
}

function draw_filters() {
  const form = document.getElementById("filters");
  const fields = Object.entries(FILTERS).map(([name, [label, get, write]]) => {
    const values = [...new Set(passing(name).map(get))];
    values.sort((a, b) => (typeof a === "number" ? a - b : 0));
    const options = values.map((value) => [String(value), write(value)]);
    return choice(label, name, [["", "all"], ...options], state[name] ?? "");
  });
  const reset = make("button", { type: "reset", class: "plain" }, "Show all");
  const measures = Object.entries(MEASURES).map(([name, [label]]) => [name, label]);
  form.replaceChildren(...fields, choice("Show", "measure", measures, state.measure), reset);
}

/** The arm's mean and interval of the measure shown; a baseline's difference to itself is 0. */
function interval(arm) {
  return arm[state.measure] ?? (state.measure === "to_baseline" ? [0, null, null] : [null, null, null]);
}

/** What each replicate has of the measure shown, where that is known from it alone. */
function points(arm) {
  if (state.measure === "to_baseline") return [];
  const gap = state.measure === "to_dense";
  return arm.runs.filter((run) => run[2] !== null).map((run) => (gap ? run[2] - run[1] : run[2]));
}

function scale_of(shown) {
  const all = shown.flatMap((arm) => [...interval(arm), ...points(arm)]).filter((v) => v !== null);
  let [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  if (state.measure !== "test") [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  const room = (high - low || 1) * 0.04;
  [low, high] = [low - room, high + room];
  const rough = (high - low) / 5;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 5, 10].find((times) => times * size >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) ticks.push(Number((k * step).toFixed(6)));
  return { at: (v) => `${((100 * (v - low)) / (high - low)).toFixed(2)}%`, ticks };
}

const signed = (number) => (state.measure === "test" ? "" : number > 0 ? "+" : "") + number.toFixed(2).replace("-", "−");

function told([mean, low, high]) {
  if (mean === null) return ["diverged"];
  const ends = low === null ? null : make("small", {}, ` [${signed(low)}, ${signed(high)}]`);
  return [signed(mean), ends];
}

function draw_arm(arm, scale) {
  const place = (kind, value, more = "") => make("span", { class: kind, style: `left:${scale.at(value)}${more}` });
  const [mean, low, high] = interval(arm);
  const lines = scale.ticks.map((tick) => place(tick === 0 ? "grid zero" : "grid", tick));
  const runs = points(arm).map((value) => place("run", value));
  const bar = low === null ? null : place("bar", low, `;right:calc(100% - ${scale.at(high)})`);
  const dot = mean === null ? null : place("mean", mean);
  const judged = arm.to_baseline === null ? "baseline" : arm.verdict;
  const button = make(
    "button",
    { class: "arm", type: "button", "aria-pressed": String(state.arm === key(arm)), "data-arm": key(arm) },
    make("span", { class: "name" }, arm.schedule),
    make("span", { class: `scale ${judged}`, "aria-hidden": "true" }, ...lines, ...runs, bar, dot),
    make("span", { class: "value" }, ...told(interval(arm))),
  );
  return button;
}

function key(arm) {
  return `${arm.study}/${arm.method}-${arm.schedule}`;
}

function draw_axis(scale) {
  const ticks = scale.ticks.map((tick) =>
    make("span", { class: "tick", style: `left:${scale.at(tick)}` }, String(tick).replace("-", "−")),
  );
  return make("div", { class: "axis" }, make("span", { class: "scale" }, ...ticks));
}

function draw_chart() {
  const shown = passing();
  const groups = new Map();
  for (const arm of shown) {
    const name = [arm.study, arm.method, arm.epochs].join("\n");
    groups.set(name, [...(groups.get(name) ?? []), arm]);
  }
  const parts = [...groups.values()].map((group) => {
    const { study, of, method, kept, epochs, rounds, dense_epochs } = group[0];
    const often = rounds > 1 ? ` in each of ${rounds} rounds` : "";
    const what = ` ${of.data}, ${of.network}, ${method}, ${kept} % kept, ${epochs} epochs${often} after ${dense_epochs}`;
    group.sort((a, b) => (interval(b)[0] ?? -Infinity) - (interval(a)[0] ?? -Infinity));
    // budgets share a scale; sizes and studies do not, as one that collapses would hide all others
    const scale = scale_of(shown.filter((arm) => arm.study === study && arm.method === method));
    const rows = group.map((arm) => draw_arm(arm, scale));
    return make("div", { class: "group" }, make("h3", {}, study, make("span", {}, what)), draw_axis(scale), ...rows);
  });
  const none = make("p", { class: "empty" }, "No arm passes all filters.");
  document.getElementById("chart").replaceChildren(...(parts.length ? parts : [none]));
  draw_legend(shown.length);
}

function draw_legend(count) {
  const keys = ["better", "same", "worse", "undecided", "baseline"].map((name) =>
    make("span", { class: `key ${name}` }, make("i"), name === "baseline" ? "the baseline" : name),
  );
  const dots = state.measure === "to_baseline" ? "" : ", small dots are replicates";
  document.getElementById("legend").replaceChildren(
    make("b", {}, `${count} of ${arms.length} arms: ${MEASURES[state.measure][1]}. `),
    `Large dots are means${dots}, bars are the study’s intervals; colours compare an arm with the baseline of its study: `,
    ...keys,
  );
}

function pairs(rows) {
  return make("dl", {}, ...rows.flatMap(([name, ...value]) => [make("dt", {}, name), make("dd", {}, ...value)]));
}

function block(title, text) {
  return [make("h3", {}, title), make("pre", {}, text)];
}

function replicates(arm) {
  const number = (value, digits) => make("td", {}, value === null ? "–" : value.toFixed(digits));
  const head = ["Seed", "Test, %", "Dense, %", "Loss"].map((name) => make("th", { scope: "col" }, name));
  const rows = arm.runs.map(([seed, dense, test, loss]) =>
    make("tr", {}, make("td", {}, String(seed)), number(test, 2), number(dense, 2), number(loss, 3)),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

function draw_detail() {
  const arm = arms.find((each) => key(each) === state.arm);
  const aside = document.getElementById("detail");
  aside.classList.toggle("open", Boolean(arm));
  aside.scrollTop = 0;
  document.body.classList.toggle("chosen", Boolean(arm));
  if (!arm) {
    aside.replaceChildren(make("p", { class: "empty" }, "Choose an arm to see its settings, its replicates and how to make it again."));
    return;
  }
  const close = make("button", { type: "button", class: "plain close", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => choose(""));
  const text = (name, measure) => {
    const [mean, low, high] = arm[measure];
    const write = (v) => (measure !== "test" && v > 0 ? "+" : "") + v.toFixed(2).replace("-", "−");
    const ends = low === null ? "" : ` [${write(low)}, ${write(high)}]`;
    return [name, mean === null ? "diverged" : write(mean) + ends];
  };
  const { of } = arm;
  const against = arm.to_baseline === null ? [] : [text(`To ${arm.baseline}`, "to_baseline"), ["Verdict", arm.verdict]];
  aside.replaceChildren(
    close,
    make("h2", {}, arm.schedule),
    pairs([
      ["Study", make("a", { href: of.page }, arm.study)],
      ["What it is", of.title],
      ["Data, network", `${of.data}, ${of.network}`],
      ["Pruned by", `${arm.method}, ${arm.kept} % of the parameters kept`],
      ["Retrained", `${arm.epochs} epochs${arm.rounds > 1 ? ` in each of ${arm.rounds} rounds` : ""} after ${arm.dense_epochs}, at ${arm.cost} % of the dense run’s cost`],
      text("Test, %", "test"),
      text("To dense", "to_dense"),
      ...against,
      ["Intervals", `${of.confidence} %, ${arm.runs.length} replicates`],
    ]),
    ...block("Make it again", arm.again.join("\n")),
    make("h3", {}, "Replicates"),
    replicates(arm),
    ...block("Settings of the schedule", arm.settings),
    ...block("Settings of the pruning method", arm.method_settings),
    ...block("Environment", environment(arm)),
    make("details", {}, make("summary", {}, "All settings of the study"), make("pre", {}, of.settings)),
  );
}

function environment(arm) {
  if (arm.environment === null) return "not noted: the study was kept by an earlier version";
  const lines = Object.entries(arm.environment).filter(([, value]) => value !== null);
  const lock = arm.lock === null ? [] : [`dvc.lock: ${arm.lock}`];
  return [...lines.map(([name, value]) => `${name}: ${value}`), ...lock].join("\n");
}

function keep_in_address() {
  const kept = Object.entries(state).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

function choose(arm) {
  state.arm = state.arm === arm ? "" : arm;
  keep_in_address();
  for (const button of document.querySelectorAll(".arm")) {
    button.setAttribute("aria-pressed", String(button.dataset.arm === state.arm));
  }
  draw_detail();
  document.querySelector('.arm[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
}

function draw() {
  draw_filters();
  draw_chart();
  draw_detail();
}

document.getElementById("filters").addEventListener("change", ({ target }) => {
  state[target.name] = target.value;
  keep_in_address();
  draw();
  document.querySelector(`select[name="${target.name}"]`).focus();
});
document.getElementById("filters").addEventListener("reset", (event) => {
  event.preventDefault();
  for (const name of Object.keys(FILTERS)) state[name] = "";
  keep_in_address();
  draw();
});
document.getElementById("chart").addEventListener("click", ({ target }) => {
  const button = target.closest(".arm");
  if (button) choose(button.dataset.arm);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.arm) choose("");
});
draw();
