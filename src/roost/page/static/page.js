// Tells the parts of the page that there is something new. A page that is not seen asks nothing.
"use strict";
let events = null;
const tell = (event) => {
  const typing = document.getElementById("answer");
  if (!(typing && (typing.value || typing === document.activeElement))) htmx.trigger(document.body, event.type);
};
const watch = () => {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (!events) {
    const at = document.querySelector("[data-class]");
    events = new EventSource(at ? `/events?class=${at.dataset.class}` : "/events");
    events.addEventListener("wall", tell);
    events.addEventListener("job", tell);
    events.addEventListener("look", tell);
    events.onopen = () => tell({ type: "job" });
  }
};
// A picture takes another's place once it is there, so that nothing flickers.
document.addEventListener("htmx:afterRequest", () => {
  for (const facts of document.querySelectorAll("[data-picture]")) {
    const img = facts.parentElement.querySelector("img");
    const src = facts.dataset.picture;
    img.hidden = !src;
    if (src && img.getAttribute("src") !== src) img.src = src;
  }
});
document.addEventListener("visibilitychange", watch);
window.addEventListener("pagehide", () => { events?.close(); events = null; });
watch();
