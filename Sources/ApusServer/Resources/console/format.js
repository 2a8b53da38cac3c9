// Numbers, sizes and times as people read them.

const digits = [0, 1, 2].map(most => new Intl.NumberFormat("en", { maximumFractionDigits: most }));
const units = ["B", "kB", "MB", "GB", "TB", "PB"];
const steps = ["", "k", "M", "G", "T"];
export const none = "–";

function scaled(value, names) {
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && step < names.length - 1) {
    rest /= 1000;
    step++;
  }
  const most = rest >= 100 || (step === 0 && Number.isInteger(rest)) ? 0 : rest >= 10 ? 1 : 2;
  return [digits[most].format(value < 0 ? -rest : rest), names[step]];
}

const known = value => typeof value === "number" && Number.isFinite(value);

// All digits, with separators.
export const count = value => known(value) ? digits[0].format(value) : none;
// At most three digits.
export const short = value => known(value) ? scaled(value, steps).join("") : none;
export const bytes = value => known(value) ? scaled(value, units).join(" ") : none;
export const rate = value => known(value) ? `${short(value)}/s` : none;
export const byteRate = value => known(value) ? `${bytes(value)}/s` : none;
export const percent = value => known(value) ? `${digits[value < 0.1 ? 1 : 0].format(value * 100)} %` : none;

export function duration(ms) {
  if (!known(ms)) return none;
  if (ms < 1000) return `${digits[0].format(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${digits[1].format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const two = value => String(value).padStart(2, "0");

// In the reader's time zone, because that is what the clock on the wall says.
export function clock(time, milliseconds = false) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return none;
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return milliseconds ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

function day(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? none
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export const moment = time => time == null ? none : `${day(time)} ${clock(time)}`;

// How long ago something was, by the server's clock.
export function ago(time, now) {
  const past = now - new Date(time).getTime();
  return Number.isNaN(past) ? none : past < 1500 ? "now" : `${duration(past).replace(/\.\d+ s/, " s")} ago`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
