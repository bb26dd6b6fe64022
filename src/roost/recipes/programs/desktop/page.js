// One password opens the desktop. It stays in this tab (sessionStorage), so that a reload does not
// ask again; what it opens comes from the server, and goes to noVNC behind the "#", which no
// server and no log gets to see.
const KEPT = "roost-desktop";
const ask = document.getElementById("ask");
const input = document.getElementById("password");
const said = document.getElementById("said");
const screen = document.getElementById("screen");

async function opened(password) {
  const plain = password.toLowerCase().replace(/[^a-z0-9]/g, "");
  const answer = await fetch("key", {
    headers: { Authorization: `Bearer ${plain}` },
    cache: "no-store",
  });
  if (answer.status === 403) {
    sessionStorage.removeItem(KEPT);
    throw new Error("That is not the password.");
  }
  if (answer.status === 429) throw new Error("Too many tries; wait a minute.");
  if (!answer.ok) throw new Error(`The machine answers with an error (${answer.status}).`);
  return answer.json();
}

function show(found) {
  const settings = new URLSearchParams({
    autoconnect: "true",
    reconnect: "true",
    reconnect_delay: "1500",
    path: `../screen/${found.socket}`,
    password: found.password,
    // The screen is as large as the owner's window; who only looks sees it in the size of theirs.
    resize: found.view ? "scale" : "remote",
  });
  if (found.view) settings.set("view_only", "true");
  ask.hidden = true;
  screen.hidden = false;
  screen.src = `novnc/vnc.html#${settings}`;
  screen.addEventListener("load", () => screen.focus());
}

async function enter(password) {
  said.textContent = "";
  try {
    const found = await opened(password);
    sessionStorage.setItem(KEPT, password);
    show(found);
  } catch (error) {
    ask.hidden = false;
    input.select();
    said.textContent = error instanceof TypeError ? "The machine does not answer." : error.message;
  }
}

ask.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(input.value);
});

const kept = sessionStorage.getItem(KEPT);
if (kept) {
  enter(kept);
} else {
  ask.hidden = false;
  input.focus();
}
