// Icons as paths on a grid of 20 by 20, drawn as lines.

import { svg } from "./dom.js";

const paths = {
  overview: "M3 16V9M8 16V4M13 16v-6M18 16V7",
  topics: "M4 5h4M4 5v10h4M4 10h4M11 5h6M11 10h6M11 15h6",
  subscribers: "M7 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM1.5 16.5c.5-3 2.6-4.5 5.5-4.5s5 1.5 5.5 4.5M13 4a3 3 0 0 1 0 5.5M15 12.2c2 .6 3.2 2 3.5 4.3",
  try: "M4 5l5 5-5 5M11 15h6",
  access: "M7 13a4 4 0 1 1 3.8-5.2H18v3h-2.5v2.5h-3V11h-1.7A4 4 0 0 1 7 13zM6.5 9h.01",
  log: "M4 4h12M4 8h12M4 12h8M4 16h5",
  sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M4 16l1.4-1.4M14.6 5.4L16 4",
  moon: "M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3z",
  auto: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 3v14M10 6l5.5 0M10 10h7M10 14h5.5",
  star: "M10 3l2.1 4.5 4.9.6-3.6 3.4.9 4.9L10 14l-4.3 2.4.9-4.9L3 8.1l4.9-.6z",
  close: "M5 5l10 10M15 5L5 15",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.5h.01",
  key: "M12.5 11.5a4 4 0 1 0-3.8-2.7L3 14.5V17h3v-2h2v-2h1.5l1.2-1.7c.5.1 1.2.2 1.8.2zM13.5 6.5h.01",
  up: "M5 12l5-5 5 5", down: "M5 8l5 5 5-5", right: "M8 5l5 5-5 5",
  pause: "M7 4v12M13 4v12", play: "M6 4l10 6-10 6z",
  more: "M4 10h.01M10 10h.01M16 10h.01",
};

export function icon(name, size = 20) {
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true",
    focusable: "false" },
    svg("path", { d: paths[name] }));
}

export const bird = "M1 11c7-4 12-3 15 1 3-4 8-5 15-1-6 0-10 2-12 6l-3 11-3-11c-2-4-6-6-12-6z";
