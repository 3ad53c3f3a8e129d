"use strict";
const POLL_MS = 3000;
const SHOWN_SWEEPS = 12;
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 144, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 20;

const byId = (id) => document.getElementById(id);
const whole = (n) => n.toLocaleString("en");
const ratioText = (r) => (r === null ? "–" : r >= 100 ? whole(Math.round(r)) : r.toPrecision(3));
const axisText = (n) => (Number.isInteger(n) ? whole(n) : ratioText(n));
const clockTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

function ago(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function show(id, text, kind = "") {
  byId(id).textContent = text;
  byId(id).className = kind;
}

function showState(status) {
  document.body.className = status.healthy ? "good" : "bad";
  const last = `last sweep ${ago(status.seconds_since_last_sweep)} ago`;
  const health = status.healthy ? "healthy" : "not healthy";
  let doing = status.last ? last : "no sweep has ended yet";
  if (status.sweeping) {
    const { scanned, waiting, gone } = status.sweeping;
    doing += `; sweeping: ${whole(scanned)} rows, ${whole(waiting)} waiting, ${whole(gone)} gone`;
  }
  show("state", `${health}, ${doing}`);
  const setup = status.setup;
  show("table", setup.table);
  document.title = `${status.healthy ? "" : "✗ "}${setup.table} · reaper`;
  show("setup", `${setup.endpoint ?? "endpoints on the rows"} · ${setup.region} · a sweep every `
    + `${ago(setup.interval_seconds)} · heartbeats: ${setup.heartbeat_mode} · ${setup.version}`);
}

function showNotices(status) {
  const notices = [];
  const add = (text, kind = "") => {
    const notice = document.createElement("p");
    notice.className = `notice ${kind}`;
    notice.textContent = text;
    notices.push(notice);
  };
  if (status.setup.dry_run) add("Dry run: nothing is changed; evicted is what would have been.");
  if (status.last?.why_held) add(`Evictions are held: ${status.last.why_held}`, "bad");
  if (status.fault) add(`${clockTime(status.fault.at)}: ${status.fault.why}`, "bad");
  byId("notices").replaceChildren(...notices);
}

function showTiles(status) {
  const { last, setup, sweeps } = status;
  if (!last) return;
  const report = sweeps[sweeps.length - 1];
  show("live", whole(last.live));
  const isPart = report.segments.length < report.total_segments;
  show("live-note", `${whole(report.scanned)} rows`
    + (isPart ? ` in segments ${report.segments.join(", ")} of 0 to ${report.total_segments - 1}` : ""));
  show("zombies", whole(last.zombies));
  show("zombies-note", `${whole(report.evicted)} evicted, ${whole(report.held)} held, `
    + `${whole(report.failed)} failed`);
  const limit = setup.ratio_limit, hour = status.ratio_of_last_hour;
  show("ratio", ratioText(report.heartbeat_message_ratio), limit !== null && hour > limit ? "warn" : "");
  show("ratio-note", `last hour ${ratioText(hour)}`
    + (limit === null ? "" : `, limit ${ratioText(limit)}`)
    + `; heartbeats within ${Math.round(last.heartbeat_interval_seconds)} s`);
  show("breaker", last.breaker_open ? "open" : "closed", last.breaker_open ? "bad" : "");
  show("breaker-note", report.hold_reason ?? "evictions go through");
  show("quota", `${(100 * last.quota_utilization).toPrecision(2)} %`, last.slowdowns ? "warn" : "");
  show("quota-note", `${whole(Math.round(report.probe_rps))} of ${whole(setup.quota_rps)} rps, `
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
  const first = sweeps[0].ended_at, last = sweeps[sweeps.length - 1].ended_at;
  const x = (t) => LEFT + (width - LEFT - RIGHT) * (last > first ? (t - first) / (last - first) : 0.5);
  const y = (v) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(1, v / top);
  const nodes = [0, top].flatMap((v) => [
    draw("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: y(v), y2: y(v) }),
    draw("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, axisText(v)),
  ]);
  nodes.push(draw("text", { x: LEFT, y: HEIGHT - 5 }, clockTime(first)));
  if (last > first) {
    nodes.push(draw("text", { x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, clockTime(last)));
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

function showSweeps(sweeps) {
  const rows = sweeps.slice(-SHOWN_SWEEPS).reverse().map((sweep) => {
    const row = document.createElement("tr");
    const cells = [
      clockTime(sweep.ended_at), whole(sweep.scanned), whole(sweep.alive + sweep.fresh + sweep.newborn),
      whole(sweep.confirmed), whole(sweep.evicted), whole(sweep.held), whole(sweep.unknown),
      whole(sweep.checks), whole(sweep.heartbeats), sweep.messages === null ? "–" : whole(sweep.messages),
      ratioText(sweep.heartbeat_message_ratio), sweep.seconds.toFixed(1), sweep.hold_reason ?? "",
    ];
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  });
  byId("sweeps").replaceChildren(...rows);
}

function showAll(status) {
  showState(status);
  showNotices(status);
  showTiles(status);
  showSweeps(status.sweeps);
  if (!status.sweeps.length) return;
  drawCourse("ratio-chart", status.sweeps, (s) => s.heartbeat_message_ratio, status.setup.ratio_limit);
  drawCourse("live-chart", status.sweeps, (s) => s.alive + s.fresh + s.newborn);
  drawZombies("zombie-chart", status.sweeps);
}

async function poll() {
  try {
    const response = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(`status.json answers ${response.status}`);
    showAll(await response.json());
  } catch (error) {
    document.body.className = "bad";
    show("state", `the reaper does not answer (${error.message}); what is shown is old`);
  }
  setTimeout(poll, POLL_MS);
}

poll();
