// Says in the header whether the page is live, and loads it anew when the server was upgraded.
const indicator = document.getElementById("connection");

const say = (state, text) => {
  if (indicator.dataset.state === state) return;
  indicator.dataset.state = state;
  indicator.textContent = text;
};

document.addEventListener("htmx:sse:after:connection", () => say("live", "Live"));
document.addEventListener("htmx:sse:error", () => say("lost", "Reconnecting"));
document.addEventListener("htmx:sse:close", () => say("lost", "Not live"));
document.addEventListener("windlass:busy", () => say("lost", "Not live: too many open pages"));
document.addEventListener("windlass:reload", () => location.reload());
