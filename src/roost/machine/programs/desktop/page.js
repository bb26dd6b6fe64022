// One password opens the desktop. It stays in this tab (sessionStorage), so that a reload does not
// ask again; what it opens is asked for at each connection, because it may change with the machine.
const KEPT = `roost-desktop ${location.pathname}`; // a class's gateway has many of these pages
const PAUSE = 1500;
const LOOK = 10_000;
const MOST = 16_000_000; // bytes that the desktop takes at once (its MaxCutText)
const at = (id) => document.getElementById(id);
// Begins to load while the password is typed.
const library = () => import("./novnc/core/rfb.js");
library().catch(() => {});
let rfb = null;
let looking = false; // the password lets it only look on
let mine = false; // the desktop has the size of this window
let there = 1; // who saw the screen at the last two looks, this page among them

class Refused extends Error {}

function request(path, password, method = "GET") {
  const plain = password.toLowerCase().replace(/[^a-z0-9]/g, "");
  const headers = { Authorization: `Bearer ${plain}` };
  return fetch(path, { method, headers, cache: "no-store" });
}

const kept = () => sessionStorage.getItem(KEPT) ?? "";

async function opened(password) {
  const answer = await request("key", password);
  if (answer.status === 403) throw new Refused("That is not the password.");
  if (answer.status === 429) throw new Error("Too many tries; wait a minute.");
  if (!answer.ok) throw new Error(`The machine answers with an error (${answer.status}).`);
  const found = await answer.json();
  // How many see the screen; this very request is answered too.
  return { ...found, seen: Number(answer.headers.get("Roost-Answering") ?? 1) - 1 };
}

// --- the password --------------------------------------------------------------------------------

function ask(why) {
  sessionStorage.removeItem(KEPT);
  at("screen").hidden = at("tools").hidden = at("paper").hidden = true;
  at("state").textContent = "";
  at("ask").hidden = false;
  at("said").textContent = why;
  at("password").select();
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = at("password").value;
  try {
    const found = await opened(password);
    sessionStorage.setItem(KEPT, password);
    await connect(found);
    at("ask").hidden = true;
  } catch (error) {
    ask(error instanceof TypeError ? "The machine does not answer." : error.message);
  }
});

// --- the desktop ---------------------------------------------------------------------------------

async function connect(found) {
  const { default: RFB } = await library();
  const socket = new URL(`screen/${found.socket}`, location.href);
  socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket.search = socket.hash = "";
  at("screen").hidden = at("tools").hidden = false;
  looking = found.view;
  at("looking").hidden = !looking;
  rfb = new RFB(at("screen"), socket.href, {
    credentials: { password: found.password },
    shared: true,
  });
  // The desktop is as large as the window of who came first; all others see it in the size of
  // theirs. A phone, or a second window, must not shrink it for who works there.
  mine = !found.view && (mine || found.seen === 0);
  rfb.viewOnly = found.view;
  rfb.resizeSession = mine;
  rfb.scaleViewport = true;
  rfb.background = "#22303c";
  rfb.addEventListener("connect", () => {
    at("state").textContent = "";
    setTimeout(look, PAUSE); // a page that was just closed may have been counted
    seat();
    rfb.focus();
  });
  rfb.addEventListener("clipboard", (event) => copied(event.detail.text));
  rfb.addEventListener("disconnect", lost);
}

function fit() {
  mine = rfb.resizeSession = true;
  at("fit").hidden = true;
}

at("fit").addEventListener("click", () => {
  if (rfb) fit();
});

// Who else is here? Told when two looks agree, for other pages' requests are answered too.
async function look() {
  if (!rfb) return;
  try {
    const found = await opened(kept());
    const both = Math.min(found.seen, there);
    there = found.seen;
    const others = Math.max(both - 1, 0);
    at("others").textContent = others ? `${others + 1} people see this desktop` : "";
    if (rfb && !found.view && !mine && found.seen === 1) fit();
    at("fit").hidden = found.view || mine;
  } catch {
    // It is away, which the screen's own connection tells.
  }
}

setInterval(look, LOOK);

// --- a seat of a class: the time that is left, a hand for its trainer, and a new start ---------------

async function seat(how = "mine", method = "GET") {
  if (!document.documentElement.dataset.class || looking || !kept()) return;
  try {
    const answer = await request(how, kept(), method);
    if (!answer.ok) return;
    const found = await answer.json();
    const minutes = Math.floor((found.left_s ?? 0) / 60);
    const rest = minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes} min`;
    at("left").textContent = `${rest} left`;
    at("left").hidden = found.left_s === null || minutes > 48 * 60;
    at("hand").textContent = found.hand ? "Your trainer is told" : "I need help";
    at("hand").setAttribute("aria-pressed", String(found.hand));
    at("hand").hidden = at("restart").hidden = false;
  } catch {
    // An older roost's gateway or seat, or one that is away.
  }
}

at("hand").addEventListener("click", () => {
  const up = at("hand").getAttribute("aria-pressed") !== "true";
  seat(up ? "hand?up" : "hand?down", "POST");
});
setInterval(seat, 60_000);

// Also where the desktop itself is gone or hangs, as long as its machine answers.
at("restart").addEventListener("click", async () => {
  if (!confirm("Restart this machine? Its programs end, and what is not saved in them is lost.")) return;
  const answer = await request("restart", kept(), "POST").catch(() => null);
  if (answer?.ok) at("state").textContent = "The machine restarts; the desktop comes back here.";
  else alert("The machine does not answer. Your trainer can restart it.");
});

// A session that has ended (logging out), a machine that starts again, a network that was away.
function lost() {
  rfb = null;
  at("others").textContent = "";
  at("state").textContent = "The desktop is away; it comes back here.";
  setTimeout(again, PAUSE);
}

async function again() {
  try {
    await connect(await opened(kept()));
  } catch (error) {
    if (error instanceof Refused) ask(error.message);
    else lost();
  }
}

// --- the clipboard -------------------------------------------------------------------------------

function copied(text) {
  at("text").value = text;
  // Not every browser lets a page do so; the text field is there for the others.
  navigator.clipboard?.writeText(text).catch(() => {});
}

async function bring() {
  if (!rfb || rfb.viewOnly || !navigator.clipboard?.readText) return;
  try {
    // Only where the user has allowed it: asking at every click would be a nuisance.
    const may = await navigator.permissions.query({ name: "clipboard-read" });
    if (may.state === "granted") give(await navigator.clipboard.readText());
  } catch {
    // This browser knows no such permission.
  }
}

function give(text) {
  if (text && text !== at("text").value) {
    at("text").value = text;
    paste(text);
  }
}

function paste(text) {
  const fits = new TextEncoder().encode(text).length <= MOST;
  at("long").textContent = fits ? "" : "That is too long to copy (16 MB at most): bring it as a file.";
  if (fits) rfb?.clipboardPasteFrom(text);
}

at("text").addEventListener("input", () => paste(at("text").value));
window.addEventListener("focus", bring);
at("clipboard").addEventListener("click", () => {
  at("paper").hidden = !at("paper").hidden;
  if (at("paper").hidden) return;
  at("text").focus();
  // The one place where a browser may ask whether this page may read the clipboard.
  navigator.clipboard?.readText?.().then(give, () => {});
});

at("full").addEventListener("click", async () => {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
  rfb?.focus();
});

// --- the keyboard of a phone -----------------------------------------------------------------------

// It changes a text field, and the desktop gets the keys that make the same change.
const BACKSPACE = 0xff08;
const RETURN = 0xff0d;
const FILL = " ".repeat(64); // there is something to delete
let typed = FILL;

at("keyboard").hidden = !matchMedia("(any-pointer: coarse)").matches;
at("keyboard").addEventListener("click", () => {
  at("keys").value = typed = FILL;
  at("keys").focus();
});

at("keys").addEventListener("input", async () => {
  const before = typed;
  typed = at("keys").value;
  const { default: keysyms } = await import("./novnc/core/input/keysymdef.js");
  let same = 0;
  while (same < before.length && before[same] === typed[same]) same += 1;
  for (let gone = before.length; gone > same; gone -= 1) rfb?.sendKey(BACKSPACE);
  for (const one of typed.slice(same)) {
    rfb?.sendKey(one === "\n" ? RETURN : keysyms.lookup(one.codePointAt(0)));
  }
  if (typed.length < FILL.length / 2) at("keys").value = typed = FILL;
});

// --- where it begins -----------------------------------------------------------------------------

// A handout's address has the password behind its #, which no server and no log ever gets. It goes
// from the address bar at once, so that nobody reads it there or finds it in the history.
const given = /^#([a-z2-9-]{16,40})$/.exec(location.hash);
if (given) {
  history.replaceState(null, "", location.pathname + location.search);
  sessionStorage.setItem(KEPT, given[1]);
}
if (sessionStorage.getItem(KEPT)) again();
else ask("");
