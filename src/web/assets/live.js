// Says in the header whether the page is live, and keeps it so where htmx gives up.
const indicator = document.getElementById("connection");
const RETRY_AFTER = 3000;

const say = (state, text) => {
  if (indicator.dataset.state === state && indicator.textContent === text) return;
  indicator.dataset.state = state;
  indicator.textContent = text;
};

const on = (names, handle) => names.forEach((name) => document.addEventListener(name, handle));

on(["htmx:sse:after:connection"], () => say("live", "Live"));
on(["htmx:sse:error"], () => say("lost", "Reconnecting"));
on(["htmx:sse:close"], () => say("lost", "Not live"));
on(["windlass:busy"], () => say("lost", "Not live: too many open pages"));

// htmx mends a connection that breaks, but not one whose first request failed.
on(["htmx:error", "htmx:response:error"], ({ target }) => {
  say("lost", "Reconnecting");
  setTimeout(() => target.dispatchEvent(new Event("windlass:connect")), RETRY_AFTER);
});

// The server was upgraded: this page was made by another version.
on(["windlass:reload"], () => location.reload());
