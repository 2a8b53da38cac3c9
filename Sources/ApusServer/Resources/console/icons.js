// Icons as paths on a grid of 20 by 20, drawn as lines.

import { svg } from "./dom.js";

const paths = {
  overview: "M3 16V9M8 16V4M13 16v-6M18 16V7",
  topics: "M4 5h4M4 5v10h4M4 10h4M11 5h6M11 10h6M11 15h6",
  subscribers: "M7 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM1.5 16.5c.5-3 2.600-4.500 5.500-4.500s5 1.500 5.500 4.500M13 4a3 3 0 0 1 0 5.500M15 12.200c2 .6 3.200 2 3.500 4.300",
  try: "M4 5l5 5-5 5M11 15h6",
  access: "M7 13a4 4 0 1 1 3.800-5.200H18v3h-2.500v2.500h-3V11h-1.700A4 4 0 0 1 7 13zM6.500 9h.01",
  log: "M4 4h12M4 8h12M4 12h8M4 16h5",
  sun: "M10 6.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600L16 16M4 16l1.400-1.400M14.600 5.400L16 4",
  moon: "M16.500 11.800A7 7 0 0 1 8.200 3.500a7 7 0 1 0 8.300 8.300z",
  auto: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 3v14M10 6l5.500 0M10 10h7M10 14h5.500",
  star: "M10 3l2.100 4.500 4.900.6-3.600 3.400.9 4.900L10 14l-4.300 2.400.9-4.900L3 8.100l4.900-.6z",
  close: "M5 5l10 10M15 5L5 15",
  help: "M7.500 7.500a2.500 2.500 0 1 1 3.600 2.200c-.8.4-1.100.9-1.100 1.800M10 14.500h.01",
  key: "M12.500 11.500a4 4 0 1 0-3.800-2.700L3 14.500V17h3v-2h2v-2h1.500l1.200-1.700c.5.100 1.200.2 1.800.2zM13.500 6.500h.01",
  up: "M5 12l5-5 5 5", down: "M5 8l5 5 5-5", right: "M8 5l5 5-5 5",
  pause: "M7 4v12M13 4v12", play: "M6 4l10 6-10 6z",
  more: "M4 10h.01M10 10h.01M16 10h.01",
};

export function icon(name, size = 20) {
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: paths[name] }));
}

export const bird = "M1 11c7-4 12-3 15 1 3-4 8-5 15-1-6 0-10 2-12 6l-3 11-3-11c-2-4-6-6-12-6z";
