// Shows the page as it is now, every two seconds; says so when the service does not answer.
"use strict";

const EVERY = 2000;

async function refresh() {
  const main = document.getElementById("main");
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    if (!main.contains(document.activeElement) || document.activeElement === document.body) {
      main.replaceChildren(...fresh.getElementById("main").childNodes);
    }
    document.body.classList.remove("lost");
  } catch {
    document.body.classList.add("lost");
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, EVERY);
