// What plain pages cannot do: dropping files, sending progress, seeking without a new page, zoom. All else works without.
"use strict";

const seconds = (element) => Number(element.dataset.start);

// A file dropped on a form goes into its file field and is sent; so is one dropped anywhere on a page with one such form.
function dropInto(form, files) {
  const field = form.querySelector('input[type="file"]');
  const kept = new DataTransfer();
  for (const file of field.multiple ? files : [...files].slice(0, 1)) kept.items.add(file);
  if (!kept.files.length) return;
  field.files = kept.files;
  check(field);
  form.requestSubmit();
}

// What is too large is told before it is sent; the server tells it too, but some browsers give up on a long sending.
function check(field) {
  const most = Number(field.dataset.most), count = Number(field.dataset.mostFiles || 1);
  const bytes = [...field.files].reduce((sum, file) => sum + file.size, 0);
  if (field.files.length > count) field.setCustomValidity(`Choose ${count} files at most.`);
  else if (bytes > most) field.setCustomValidity(`Too large: ${Math.floor(most / 1048576)} MB at most.`);
  else field.setCustomValidity("");
}
document.addEventListener("change", (event) => {
  if (event.target.dataset?.most) {
    check(event.target);
    event.target.reportValidity();
  }
});

const zone = (event) => event.target.closest?.("[data-drop]") ?? document.querySelector("[data-drop]");

document.addEventListener("dragover", (event) => {
  const form = zone(event);
  if (!form || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  form.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.querySelectorAll(".over").forEach((form) => form.classList.remove("over"));
});
document.addEventListener("drop", (event) => {
  const form = zone(event);
  if (!form || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  form.classList.remove("over");
  dropInto(form, event.dataTransfer.files);
});

// A file that asks takes the options as they are chosen now.
document.addEventListener("submit", (event) => {
  const other = document.getElementById(event.target.dataset?.optionsOf);
  if (!other) return;
  event.target.querySelectorAll('input[type="hidden"]').forEach((field) => field.remove());
  for (const [name, value] of new FormData(other)) {
    if (name === "q" || name === "file" || value === "") continue;
    const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    event.target.append(field);
  }
  document.getElementById("loading")?.classList.add("htmx-request");
});
addEventListener("pageshow", () => document.getElementById("loading")?.classList.remove("htmx-request"));

// Addresses stay short: what is empty, or usual, is not sent.
document.addEventListener("htmx:configRequest", (event) => {
  const sent = event.detail.parameters;
  if (event.detail.verb !== "get") return;
  for (const [name, value] of Object.entries(sent)) if (value === "") delete sent[name];
  if (sent.dimension === "3072") delete sent.dimension;
  if (sent.q) delete sent.file;
});

document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.querySelector?.("#sending");
  if (!bar || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = (100 * event.detail.loaded) / event.detail.total;
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.id !== "upload") return;
  const bar = event.target.querySelector("#sending");
  bar.hidden = true;
  bar.value = 0;
  if (event.detail.successful) event.target.reset();
});

// More of a list replaces the list: the keyboard goes on where the new part begins.
document.addEventListener("htmx:afterSwap", (event) => {
  const had = event.detail.requestConfig.elt.dataset?.had;
  if (had) event.detail.target.querySelectorAll(".group h2 a")[had]?.focus({ preventScroll: true });
});

// No answer at all is told, too, until there is one.
const unanswered = () => document.querySelectorAll(".unanswered").forEach((told) => told.remove());
document.addEventListener("htmx:beforeSwap", unanswered);
document.addEventListener("htmx:sendError", (event) => {
  unanswered();
  const told = document.createElement("p");
  told.className = "note bad unanswered";
  told.setAttribute("role", "alert");
  told.textContent = "The server does not answer. Is it still running?";
  event.detail.target?.prepend(told);
});

// A picture that is not there leaves its place empty rather than broken.
document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) event.target.remove();
}, true);

const player = document.getElementById("player");
if (player) {
  const timeline = document.querySelector(".timeline");
  // Some browsers and formats do not know #t=: the position is set again when it can be.
  const begin = () => {
    if (Math.abs(player.currentTime - seconds(player)) > 0.5) player.currentTime = seconds(player);
  };
  if (player.readyState >= 1) begin();
  else player.addEventListener("loadedmetadata", begin, { once: true });
  player.addEventListener("timeupdate", () => {
    const share = player.currentTime / Number(timeline?.dataset.duration || player.duration);
    timeline?.querySelector(".playhead").setAttribute("x", String(Math.min(998, 1000 * share)));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-start]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    player.currentTime = seconds(link);
    player.play().catch(() => {});
    document.querySelectorAll("a[data-start]").forEach((each) => {
      if (seconds(each) === seconds(link)) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    });
    history.replaceState(null, "", link.getAttribute("href"));
    htmx.ajax("GET", link.getAttribute("href"), { target: "#moment", select: "#moment", swap: "outerHTML" });
  });
}

// Only the list moves: where it lies below the player, the page stays where it is.
const chosen = document.querySelector(".segments [aria-current]");
const list = chosen?.closest(".segments");
if (list) list.scrollTop += chosen.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 3;

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-zoom]");
  const dialog = document.getElementById("zoom");
  if (!link || !dialog?.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const picture = Object.assign(new Image(), { src: link.href, alt: link.querySelector("img")?.alt ?? "" });
  picture.addEventListener("click", () => picture.classList.toggle("large"));
  dialog.querySelector(".pan").replaceChildren(picture);
  dialog.showModal();
});
