// A conversation without new pages: answers piece by piece, and an end to them. Without script the form does it all.
"use strict";
{
  const byId = (id) => document.getElementById(id);
  const talk = byId("talk"), turns = byId("turns"), composer = byId("composer"), field = byId("q");
  const send = byId("send"), stop = byId("stop"), status = byId("status");
  let going = null; // what ends the answer that is being written
  byId("keys").hidden = false;

  const part = (id) => byId(id).content.firstElementChild.cloneNode(true);
  const isAtEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 40;
  const toEnd = () => scrollTo({ top: document.documentElement.scrollHeight });

  function showGoing(controller) {
    going = controller;
    const hadFocus = [send, stop].includes(document.activeElement);
    send.hidden = going !== null;
    stop.hidden = going === null;
    if (hadFocus) (going === null ? field : stop).focus();
  }

  // Yields each event with its data; a line of the stream may come in parts.
  async function* eventsOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
        if (lines.event) yield [lines.event, JSON.parse(lines.data)];
      }
    }
  }

  // Every piece of HTML was made by the server, which escapes what files and models say.
  async function write(turn, response) {
    const answer = turn.querySelector(".answer p");
    let isWhole = false;
    for await (const [name, told] of eventsOf(response)) {
      const follows = isAtEnd();
      if (name === "found") answer.textContent = told.count ? `Reading ${told.count} passages` : "";
      if (name === "piece") {
        if (answer.classList.contains("soft")) {
          answer.classList.remove("soft");
          answer.textContent = "";
        }
        answer.insertAdjacentHTML("beforeend", told.html);
      }
      if (name === "end") {
        if (answer.classList.contains("soft")) answer.textContent = "";
        turn.querySelector(".end").innerHTML = told.html;
        isWhole = true;
      }
      if (follows) toEnd();
    }
    if (!isWhole) throw new Error("The connection ended before the answer did.");
  }

  async function refusalOf(response) {
    try {
      return (await response.json()).error.message;
    } catch {
      return `The server answered ${response.status}.`;
    }
  }

  async function ask(form) {
    const body = new URLSearchParams(new FormData(form));
    const question = body.get("q").trim();
    if (!question || going) return;
    const controller = new AbortController(), turn = part("new-turn");
    byId("welcome")?.remove();
    document.querySelectorAll("#latest").forEach((each) => each.removeAttribute("id"));
    turn.querySelector(".asked").textContent = question;
    turns.append(turn);
    if (form === composer) field.value = "";
    showGoing(controller);
    toEnd();
    const answer = turn.querySelector(".answer"), end = turn.querySelector(".end");
    try {
      const headers = { accept: "text/event-stream" };
      const response = await fetch("/chat/ask", { method: "POST", body, headers, signal: controller.signal });
      if (response.status === 401) {
        const back = "/chat?" + new URLSearchParams({ q: question });
        location.assign("/login?" + new URLSearchParams({ next: back }));
        return;
      }
      if (!response.ok) throw new Error(await refusalOf(response));
      await write(turn, response);
      if (end.querySelector('[role="alert"]')) field.value ||= question;
      else status.textContent = `Answered, ${turn.querySelectorAll(".end > .sources li").length} sources`;
    } catch (error) {
      const isStopped = controller.signal.aborted;
      if (answer.querySelector(".soft")) answer.replaceChildren();
      const told = part(isStopped ? "stopped" : "failed");
      if (!isStopped) {
        // A browser's own words for no connection help nobody.
        const isGone = error instanceof TypeError;
        told.querySelector("p").textContent = isGone ? "The server does not answer. Is it still running?" : error.message;
        field.value ||= question;
      }
      end.replaceChildren(told);
      status.textContent = isStopped ? "Stopped" : "";
      toEnd();
    } finally {
      answer.setAttribute("aria-busy", "false");
      answer.querySelector("p")?.classList.remove("writing");
      byId("new").hidden = false;
      showGoing(null);
    }
  }

  talk.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-chat]")) return;
    event.preventDefault();
    ask(event.target);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!going) composer.requestSubmit();
  });
  stop.addEventListener("click", () => going?.abort());
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") going?.abort();
  });
  if (turns.children.length) toEnd();
}
