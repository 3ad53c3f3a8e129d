"use strict";
const POLL_MS = 3000;
const SHOWN_SWEEPS = 12;
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 144, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 20;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const byId = (id) => document.getElementById(id);
const whole = (n) => n.toLocaleString("en");
const ratioText = (r) => (r === null ? "–" : r >= 100 ? whole(Math.round(r)) : r.toPrecision(3));
const axisText = (n) => (Number.isInteger(n) ? whole(n) : ratioText(n));
const secondsOf = (iso) => Date.parse(iso) / 1000;
const clockTime = (iso) => new Date(iso).toLocaleTimeString();

function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

function show(id, text, kind = "") {
  byId(id).textContent = text;
  byId(id).className = kind;
}

function showState(status) {
  const now = secondsOf(status.now);
  document.body.className = status.state;
  show("state-name", status.state);
  show("state-since", `since ${clockTime(status.since)} (${span(now - secondsOf(status.since))})`);
  show("why", status.why);
  show("next", status.state === "ok" ? "" : status.next);
  const setup = status.setup;
  show("table", setup.table);
  document.title = `${status.state === "ok" ? "" : `${status.state}: `}${setup.table} · reaper`;
  show("setup", `${setup.endpoint ?? "endpoints on the rows"} · ${setup.region} · a sweep every `
    + `${span(setup.interval_seconds)} · heartbeats: ${setup.heartbeat_mode}`);
  show("footer", `reaper ${setup.version}, up for ${span(now - secondsOf(status.started_at))} · `
    + `audit log: ${setup.audit_log} · times are those of ${ZONE}`);
}

function showDoing(status) {
  const parts = [], now = secondsOf(status.now);
  if (status.sweeping) {
    const { scanned, waiting, gone, suspects, next_look_seconds: next } = status.sweeping;
    parts.push(`sweeping: ${whole(scanned)} rows, ${whole(waiting)} waiting, ${whole(gone)} gone`);
    if (suspects) {
      parts.push(`${whole(suspects)} suspects are asked again${next === null ? "" : ` in ${span(next)}`}`);
    }
  } else if (status.next_sweep_at) {
    parts.push(`next sweep in ${span(Math.max(0, secondsOf(status.next_sweep_at) - now))}`);
  }
  parts.push(status.last_success_at
    ? `last sweep that got through: ${span(now - secondsOf(status.last_success_at))} ago`
    : "no sweep has got through yet");
  show("doing", parts.join(" · "));
}

function showNotices(status) {
  const notices = [];
  const add = (text) => {
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.textContent = text;
    notices.push(notice);
  };
  if (status.setup.dry_run) add("Dry run: nothing is changed; evicted is what would have been.");
  if (status.last?.why_held && !status.why.includes(status.last.why_held.split(":")[0])) {
    add(`Evictions are held: ${status.last.why_held}`);
  }
  if (status.last?.is_stale) {
    add(`The numbers are those of ${clockTime(status.last.ended_at)}, `
      + `${span(secondsOf(status.now) - secondsOf(status.last.ended_at))} ago: no sweep since then has any.`);
  }
  byId("notices").replaceChildren(...notices);
}

function showTiles(status) {
  const { last, setup } = status;
  if (!last) return;
  byId("numbers").className = last.is_stale ? "stale" : "";
  show("live", whole(last.live));
  const isPart = last.segments.length < last.total_segments;
  show("live-note", `${whole(last.scanned)} rows`
    + (isPart ? ` in segments ${last.segments.join(", ")} of 0 to ${last.total_segments - 1}` : ""));
  show("zombies", whole(last.zombies));
  show("zombies-note", `${whole(last.evicted)} evicted, ${whole(last.held)} held, `
    + `${whole(last.failed)} failed`);
  const limit = setup.ratio_limit, hour = status.ratio_of_last_hour;
  show("ratio", ratioText(last.heartbeat_message_ratio), limit !== null && hour > limit ? "warn" : "");
  show("ratio-note", `last hour ${ratioText(hour)}`
    + (limit === null ? "" : `, limit ${ratioText(limit)}`)
    + `; heartbeats within ${Math.round(last.heartbeat_interval_seconds)} s`);
  show("breaker", last.breaker_open ? "open" : "closed", last.breaker_open ? "bad" : "");
  const unheld = last.failed ? "but evictions fail"
    : last.checks + last.heartbeats ? "evictions go through" : "nobody was asked";
  show("breaker-note", last.hold_reason ?? unheld);
  show("quota", `${(100 * last.quota_utilization).toPrecision(2)} %`, last.slowdowns ? "warn" : "");
  show("quota-note", `${whole(Math.round(last.probe_rps))} of ${whole(setup.quota_rps)} rps, `
    + `budget ${whole(Math.round(setup.budget_rps))}`
    + (last.slowdowns ? `; throttled ${last.slowdowns} times` : ""));
  const dollars = status.heartbeat_dollars_per_month;
  show("dollars", dollars === null ? "–" : `$${dollars.toFixed(2)}`);
  show("dollars-note", "at the last hour's rate");
}

function draw(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function frame(id, sweeps, top) {
  const width = byId(id).clientWidth;
  const first = secondsOf(sweeps[0].ended_at), last = secondsOf(sweeps[sweeps.length - 1].ended_at);
  const x = (iso) => LEFT + (width - LEFT - RIGHT)
    * (last > first ? (secondsOf(iso) - first) / (last - first) : 0.5);
  const y = (v) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(1, v / top);
  const nodes = [0, top].flatMap((v) => [
    draw("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }),
    draw("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, axisText(v)),
  ]);
  nodes.push(draw("text", { x: LEFT, y: HEIGHT - 5 }, clockTime(sweeps[0].ended_at)));
  const middle = { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" };
  nodes.push(draw("text", middle, "time of the sweep"));
  if (last > first) {
    const end = { x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" };
    nodes.push(draw("text", end, clockTime(sweeps[sweeps.length - 1].ended_at)));
  }
  return { x, y, width, nodes };
}

function drawCourse(id, sweeps, valueOf, limit = null) {
  const known = sweeps.filter((sweep) => valueOf(sweep) !== null);
  if (!known.length) {
    byId(id).replaceChildren(draw("text", { x: LEFT, y: HEIGHT / 2 }, "no message is counted"));
    return;
  }
  const highest = Math.max(limit ?? 0, ...known.map(valueOf));
  const top = highest > 5 ? Math.ceil(1.1 * highest) : 1.1 * highest || 1;
  const { x, y, width, nodes } = frame(id, known, top);
  if (limit !== null) {
    nodes.push(draw("line", { class: "limit", x1: LEFT, x2: width - RIGHT, y1: y(limit), y2: y(limit) }));
    nodes.push(draw("text", { x: LEFT + 4, y: y(limit) - 4 }, "limit"));
  }
  const points = known.map((sweep) => [x(sweep.ended_at), y(valueOf(sweep))]);
  nodes.push(draw("polyline", { class: "trend", points: points.map((p) => p.join(",")).join(" ") }));
  const [cx, cy] = points[points.length - 1];
  nodes.push(draw("circle", { class: "point", cx, cy, r: 3 }));
  byId(id).replaceChildren(...nodes);
}

function drawZombies(id, sweeps) {
  const top = Math.max(1, ...sweeps.map((sweep) => sweep.evicted + sweep.held));
  const { x, y, width, nodes } = frame(id, sweeps, top);
  const bar = Math.max(1, Math.min(12, (width - LEFT - RIGHT) / sweeps.length - 1));
  for (const sweep of sweeps) {
    const left = Math.max(LEFT, Math.min(width - RIGHT - bar, x(sweep.ended_at) - bar / 2));
    const part = (kind, from, to) => draw("rect", {
      class: `bar ${kind}`, x: left, width: bar, y: y(to), height: y(from) - y(to),
    });
    const top = sweep.evicted + sweep.held;
    nodes.push(part("evicted", 0, sweep.evicted), part("held", sweep.evicted, top));
  }
  byId(id).replaceChildren(...nodes);
}

const live = (sweep) => sweep.alive + sweep.fresh + sweep.newborn;
const COLUMNS = [
  ["ended", (s) => clockTime(s.ended_at)],
  ["rows", (s) => s.scanned], ["live", live], ["newborn", (s) => s.newborn], ["fresh", (s) => s.fresh],
  ["expired", (s) => s.expired], ["zombies", (s) => s.confirmed], ["evicted", (s) => s.evicted],
  ["held", (s) => s.held], ["inconclusive", (s) => s.unknown], ["denied", (s) => s.denied],
  ["throttled", (s) => s.throttled], ["checks", (s) => s.checks], ["heartbeats", (s) => s.heartbeats],
  ["messages", (s) => s.messages ?? "–"], ["ratio", (s) => ratioText(s.heartbeat_message_ratio)],
  ["seconds", (s) => s.seconds.toFixed(1)],
];

function noteOf(sweep) {
  const notes = [sweep.hold_reason && `held: ${sweep.hold_reason}`, sweep.failed_because];
  if (sweep.result !== "done") notes.unshift(sweep.result);
  return notes.filter(Boolean).join(": ");
}

function rowsOf(sweep) {
  const row = document.createElement("tr"), note = noteOf(sweep);
  for (const [name, valueOf] of COLUMNS) {
    const cell = row.insertCell();
    const isKnown = sweep.scanned !== undefined || ["ended", "seconds"].includes(name);
    const value = isKnown ? valueOf(sweep) : "";
    cell.dataset.column = name;
    cell.textContent = typeof value === "number" ? whole(value) : value;
  }
  if (!note) return [row];
  const below = document.createElement("tr"), cell = below.insertCell();
  row.className = "noted";
  below.className = ["failed", "cut-short"].includes(sweep.result) ? "note failed" : "note";
  cell.colSpan = COLUMNS.length;
  cell.textContent = note;
  return [row, below];
}

function showSweeps(sweeps) {
  byId("columns").replaceChildren(...COLUMNS.map(([name]) => {
    const cell = document.createElement("th");
    cell.textContent = name;
    return cell;
  }));
  byId("sweeps").replaceChildren(...sweeps.slice(-SHOWN_SWEEPS).reverse().flatMap(rowsOf));
}

function showEvictions(evictions) {
  const lines = evictions.map(({ at, rows, by_reason: reasons, dry_run: isDry }) => {
    const line = document.createElement("li");
    const why = Object.entries(reasons).map(([reason, count]) => `${whole(count)} ${reason}`).join(", ");
    line.textContent = `${clockTime(at)}: ${whole(rows)} ${isDry ? "would be evicted" : "evicted"} (${why})`;
    return line;
  });
  if (!lines.length) {
    lines.push(document.createElement("li"));
    lines[0].textContent = "none in the sweeps that are remembered";
  }
  byId("evictions").replaceChildren(...lines);
}

function showAll(status) {
  showState(status);
  showDoing(status);
  showNotices(status);
  showTiles(status);
  showEvictions(status.evictions);
  showSweeps(status.sweeps);
  const known = status.sweeps.filter((sweep) => sweep.scanned !== undefined);
  if (!known.length) return;
  drawCourse("ratio-chart", known, (s) => s.heartbeat_message_ratio, status.setup.ratio_limit);
  drawCourse("live-chart", known, live);
  drawZombies("zombie-chart", known);
}

async function poll() {
  try {
    const response = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`status.json answers ${response.status}`);
    showAll(await response.json());
  } catch (error) {
    document.body.className = "failing";
    byId("numbers").className = "stale";
    show("state-name", "the reaper does not answer");
    show("why", `${error.message}; what is shown is old`);
    show("next", "see whether it runs: systemctl status reaper, or the ECS service's events");
  }
  setTimeout(poll, POLL_MS);
}

poll();
