// A playhead that moves over each picture with its sound; a click on the picture goes there. One clip plays at a time.
for (const player of document.querySelectorAll(".player")) {
  const audio = player.querySelector("audio");
  const stage = player.querySelector(".stage");
  const head = player.querySelector(".playhead");
  if (!audio || !stage || !head) continue;
  const seconds = Number(player.dataset.seconds), start = Number(player.dataset.x0), end = Number(player.dataset.x1);
  const show = () => {
    const share = Math.min(1, audio.currentTime / seconds);
    head.style.left = 100 * (start + share * (end - start)) + "%";
    if (!audio.paused) requestAnimationFrame(show);
  };
  audio.addEventListener("play", () => {
    player.classList.add("heard");
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    show();
  });
  audio.addEventListener("seeked", show);
  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - start) / (end - start);
    audio.currentTime = Math.max(0, Math.min(1, share)) * seconds;
    audio.play();
  });
}
