// One password opens the desktop. It stays in this tab (sessionStorage), so that a reload does not
// ask again; what it opens is asked for at each connection, because it may change with the machine.
const KEPT = `roost-desktop ${location.pathname}`; // a class's gateway has many of these pages
const PAUSE = 1500;
const at = (id) => document.getElementById(id);
// Begins to load while the password is typed.
const library = () => import("./novnc/core/rfb.js");
library().catch(() => {});
let rfb = null;

class Refused extends Error {}

async function opened(password) {
  const plain = password.toLowerCase().replace(/[^a-z0-9]/g, "");
  const answer = await fetch("key", {
    headers: { Authorization: `Bearer ${plain}` },
    cache: "no-store",
  });
  if (answer.status === 403) throw new Refused("That is not the password.");
  if (answer.status === 429) throw new Error("Too many tries; wait a minute.");
  if (!answer.ok) throw new Error(`The machine answers with an error (${answer.status}).`);
  return answer.json();
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
  at("looking").hidden = !found.view;
  rfb = new RFB(at("screen"), socket.href, {
    credentials: { password: found.password },
    shared: true,
  });
  // The desktop is as large as its owner's window; who looks on sees it in the size of theirs.
  rfb.viewOnly = found.view;
  rfb.resizeSession = !found.view;
  rfb.scaleViewport = true;
  rfb.background = "#22303c";
  rfb.addEventListener("connect", () => {
    at("state").textContent = "";
    rfb.focus();
  });
  rfb.addEventListener("clipboard", (event) => copied(event.detail.text));
  rfb.addEventListener("disconnect", lost);
}

// A session that has ended (logging out), a machine that starts again, a network that was away.
function lost() {
  rfb = null;
  at("state").textContent = "The desktop is away; it comes back here.";
  setTimeout(again, PAUSE);
}

async function again() {
  try {
    await connect(await opened(sessionStorage.getItem(KEPT) ?? ""));
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
    rfb?.clipboardPasteFrom(text);
  }
}

at("text").addEventListener("input", () => rfb?.clipboardPasteFrom(at("text").value));
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
