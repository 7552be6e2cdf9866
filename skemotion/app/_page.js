// What Gradio leaves out: words where camera or microphone are refused, an end to recordings that
// become too long, the seconds that have passed, answers that are read out, and names for what has
// only a picture. And what it does too much.
(() => {
  // For each clip shown it would load 32 MB of ffmpeg, to trim it, and never free them: after some
  // sixteen clips the browser has no room for more. Nothing is trimmed here, so that it waits.
  const load = window.fetch.bind(window);
  window.fetch = (what, ...settings) => String((what && what.url) || what).includes("/static/ffmpeg/")
    ? new Promise(() => {}) : load(what, ...settings);

  // A clip that browsers do not play, such as .flv, can be analysed all the same.
  window.addEventListener("error", (event) => {
    if (event.target instanceof HTMLVideoElement) event.stopImmediatePropagation();
  }, true);

  const say = (words, refused) => {
    const place = document.getElementById("sk-help");
    if (!place) return;
    place.textContent = words;
    place.classList.toggle("sk-refused", refused);
  };
  const upload = " You can upload a clip instead.";
  const reasons = {
    NotAllowedError: "The browser may not use camera and microphone. Allow both for this page, "
      + "by the sign next to the address, and press again." + upload,
    NotFoundError: "No camera, or no microphone, was found. Connect both and press again." + upload,
    NotReadableError: "Another program uses the camera or the microphone. Close it and press "
      + "again." + upload,
  };
  const devices = navigator.mediaDevices;
  if (devices && devices.getUserMedia) {
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      try {
        const stream = await ask(wanted);
        say("", false);
        return stream;
      } catch (error) {
        say(reasons[error.name] || `Camera and microphone cannot be used (${error.name}).${upload}`,
          true);
        throw error;
      }
    };
  }
  window.addEventListener("unhandledrejection", (event) => {
    if (event.reason && reasons[event.reason.name]) event.preventDefault(); // has been said
  });

  // A recording ends before it is too long to be taken.
  const Recorder = window.MediaRecorder;
  if (Recorder) {
    const start = Recorder.prototype.start;
    Recorder.prototype.start = function (...settings) {
      const area = document.activeElement && document.activeElement.closest("#sk-enrol");
      const head = document.querySelector(".sk-head");
      const seconds = area ? 120 : Number((head && head.dataset.maxSeconds) || 60);
      const place = area || document.getElementById("sk-recording");
      const stop = () => place && place.querySelector('[title="stop recording"]');
      const began = performance.now();
      const show = () => {
        const button = stop() && stop().closest("button");
        if (button) {
          button.dataset.passed = `${Math.floor((performance.now() - began) / 1000)} of ${seconds} s`;
        }
      };
      show();
      const clock = setInterval(show, 250);
      const timer = setTimeout(() => {
        if (stop()) stop().closest("button").click();
        else if (this.state !== "inactive") this.stop();
      }, 1000 * seconds);
      this.addEventListener("stop", () => {
        clearTimeout(timer);
        clearInterval(clock);
      });
      return start.apply(this, settings);
    };
  }

  const name = () => {
    for (const button of document.querySelectorAll("button.capture-button")) {
      const state = button.querySelector('[title$="recording"]');
      const words = state ? state.title : "record";
      if (button.getAttribute("aria-label") !== words) button.setAttribute("aria-label", words);
    }
    for (const place of document.querySelectorAll('[title="grant webcam access"] .wrap')) {
      const text = place.lastChild;
      const words = " Turn on camera and microphone";
      if (text && text.nodeType === Node.TEXT_NODE && text.data !== words) text.data = words;
    }
  };

  const complete = () => {
    name();
    const answer = document.getElementById("sk-answer");
    if (answer && !answer.hasAttribute("aria-live")) {
      answer.setAttribute("aria-live", "polite");
      answer.setAttribute("role", "region");
      answer.setAttribute("aria-label", "Answer");
      let last = "";
      new MutationObserver(() => {
        const now = answer.querySelector(".sk-verdict, .sk-problem");
        const text = now ? answer.textContent : "";
        if (text && text !== last && answer.getBoundingClientRect().top > window.innerHeight * 0.6) {
          answer.scrollIntoView({ block: "start" });
        }
        last = text;
      }).observe(answer, { childList: true, subtree: true });
      if (!devices || !devices.getUserMedia) {
        say("Browsers give camera and microphone only to pages of https:// addresses and of this "
          + "computer itself." + upload, true);
      }
    }
  };
  new MutationObserver(complete).observe(document, { childList: true, subtree: true });
})();
