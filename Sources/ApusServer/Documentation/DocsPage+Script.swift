extension DocsPage {
    static let script = [helpers, console, operations].joined(separator: "\n")

    private static let helpers = #"""
        "use strict";
        const $ = (selector, root = document) => root.querySelector(selector);
        const base = new URL(".", location.href);
        const address = path => new URL("." + path, base);

        // Children that are strings become text nodes: nothing is ever parsed as markup.
        function element(tag, attributes = {}, ...children) {
          const node = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes)) {
            if (typeof value === "function") node.addEventListener(name, value);
            else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
          }
          node.append(...children.filter(child => child != null));
          return node;
        }

        // Text with `code` in it.
        function prose(text) {
          const parts = String(text ?? "").split("`");
          return parts.map((part, index) => index % 2 ? element("code", {}, part) : part);
        }

        function pretty(text) {
          try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
        }

        function uuid() {
          // `crypto.randomUUID` is there only on https and localhost.
          const bytes = crypto.getRandomValues(new Uint8Array(16));
          bytes[6] = bytes[6] & 0x0f | 0x40;
          bytes[8] = bytes[8] & 0x3f | 0x80;
          const hex = [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join("");
          return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
        }

        function authorized(headers = {}) {
          const key = $("#key").value;
          return key ? { ...headers, "X-API-Key": key } : headers;
        }
        """#

    private static let console = #"""
        const form = $("#socket");
        const maxLog = 500;
        let socket = null;
        let requests = 0;

        function log(direction, kind, text) {
          const list = $("#log");
          const follows = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
          const time = new Date().toISOString().slice(11, 23);
          list.append(element("li", { class: kind },
            element("time", {}, time), element("b", {}, direction), element("span", {}, text)));
          while (list.childElementCount > maxLog) list.firstElementChild.remove();
          if (follows) list.scrollTop = list.scrollHeight;
        }

        function show(connected, text) {
          $("#state").textContent = text;
          $("#state").classList.toggle("on", connected);
          $("#connect").textContent = socket ? "Disconnect" : "Connect";
          for (const button of form.querySelectorAll("[data-command]")) button.disabled = !connected;
        }

        function connect() {
          const url = address("/" + form.path.value);
          url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
          const shown = url.href;
          if ($("#key").value) url.search = "api_key=" + encodeURIComponent($("#key").value);
          const opened = socket = new WebSocket(url);
          show(false, "connecting…");
          opened.onopen = () => {
            show(true, "connected");
            log("·", "local", "connected to " + shown);
          };
          opened.onmessage = message => {
            let kind = "";
            try { kind = JSON.parse(message.data).type; } catch { }
            log("←", ["ack", "event", "error", "pong", "info"].includes(kind) ? kind : "", String(message.data));
          };
          opened.onclose = event => {
            if (socket === opened) socket = null;
            show(false, "not connected");
            log("·", "local", `closed: ${event.code}${event.reason ? " " + event.reason : ""}`);
          };
        }

        function command(type) {
          const topic = form.topic.value;
          const request_id = "docs-" + ++requests;
          switch (type) {
            case "subscribe":
              return { type, topic, client_id: form.client.value, last_n: Number(form.last.value) || 0, request_id };
            case "unsubscribe":
              return { type, topic, client_id: form.client.value, request_id };
            case "publish":
              return { type, topic, message: { id: uuid(), payload: JSON.parse(form.payload.value) }, request_id };
            default:
              return { type, request_id };
          }
        }

        function send(type) {
          try {
            const text = JSON.stringify(command(type));
            socket.send(text);
            log("→", "", text);
          } catch (error) {
            log("·", "error", "not sent: " + error.message);
          }
        }

        form.addEventListener("submit", event => {
          event.preventDefault();
          if (socket) socket.close(); else connect();
        });
        form.addEventListener("click", event => {
          const type = event.target.dataset.command;
          if (type) send(type);
        });
        $("#clear").addEventListener("click", () => $("#log").replaceChildren());
        $("#create").addEventListener("click", async () => {
          const body = JSON.stringify({ name: form.topic.value });
          try {
            const headers = authorized({ "Content-Type": "application/json" });
            const response = await fetch(address("/topics"), { method: "POST", headers, body });
            log("·", response.ok ? "local" : "error", `POST /topics: ${response.status} ${await response.text()}`);
          } catch (error) {
            log("·", "error", "POST /topics: " + error.message);
          }
        });
        """#
}
