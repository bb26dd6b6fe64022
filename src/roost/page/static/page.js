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
    events = new EventSource("/events");
    events.addEventListener("job", tell);
    events.addEventListener("look", tell);
    events.onopen = () => tell({ type: "job" });
  }
};
document.addEventListener("visibilitychange", watch);
window.addEventListener("pagehide", () => { events?.close(); events = null; });
watch();
