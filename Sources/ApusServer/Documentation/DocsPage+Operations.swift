extension DocsPage {
    static let operations = #"""
        let api = {};

        function resolve(value) {
          if (!value || !value.$ref) return value ?? {};
          const target = value.$ref.split("/").slice(1).reduce((node, name) => node?.[name], api) ?? {};
          const { $ref, ...beside } = value;
          return { ...target, ...beside };
        }

        // A schema in the manner of a type: {"name": string, …}.
        function describe(schema, depth = 0) {
          const value = resolve(schema);
          const indent = "  ".repeat(depth + 1);
          const end = "  ".repeat(depth);
          if ("const" in value) return JSON.stringify(value.const);
          if (value.enum) return value.enum.map(item => JSON.stringify(item)).join(" | ");
          if (value.type === "array") return `[${describe(value.items, depth)}, …]`;
          if (value.type === "object" && value.properties) {
            const required = new Set(value.required ?? []);
            const lines = Object.entries(value.properties).map(([name, member]) =>
              `${indent}"${name}"${required.has(name) ? "" : "?"}: ${describe(member, depth + 1)}`);
            return `{\n${lines.join(",\n")}\n${end}}`;
          }
          if (value.type === "object" && value.additionalProperties) {
            return `{\n${indent}"…": ${describe(value.additionalProperties, depth + 1)}\n${end}}`;
          }
          return [value.type ?? "any"].flat().join(" | ");
        }

        function responseRows(operation) {
          return Object.entries(operation.responses ?? {}).map(([status, reference]) => {
            const response = resolve(reference);
            const contents = Object.entries(response.content ?? {}).map(([type, media]) =>
              element("div", { class: "schema" },
                // All errors have one form, which is shown once, below: here only what tells them apart.
                media.example?.code ? `"code": "${media.example.code}"` : `${type}\n${describe(media.schema)}`));
            return element("tr", { class: Number(status) < 400 ? "good" : "bad" },
              element("td", {}, status),
              element("td", {}, ...prose(response.description), ...contents));
          });
        }

        function quoted(text) { return "'" + text.replaceAll("'", "'\\''") + "'"; }

        function curl(method, url, headers, body) {
          const parts = ["curl", "-X", method, quoted(url.href)];
          for (const [name, value] of Object.entries(headers)) {
            parts.push("-H", quoted(`${name}: ${name === "X-API-Key" ? "…" : value}`));
          }
          if (body !== undefined) parts.push("-d", quoted(body));
          return parts.join(" ");
        }

        // Where a form's values go: the path, the query, the headers.
        function request(path, inputs, body) {
          let filled = path;
          const query = new URLSearchParams();
          const headers = authorized(body ? { "Content-Type": "application/json" } : {});
          for (const { parameter, input: { value } } of inputs) {
            if (parameter.in === "path") {
              filled = filled.replace(`{${parameter.name}}`, () => encodeURIComponent(value));
            } else if (value && parameter.in === "header") {
              headers[parameter.name] = value;
            } else if (value) {
              const isList = resolve(parameter.schema).type === "array";
              for (const item of isList ? value.split(/\s+/) : [value]) query.append(parameter.name, item);
            }
          }
          const url = address(filled);
          url.search = query;
          return { url, headers };
        }

        const maxStream = 20000;

        // Shows the end of a stream as it comes.
        async function follow(response, show) {
          const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
          let text = "";
          for (let part = await reader.read(); !part.done; part = await reader.read()) {
            text = (text + part.value).slice(-maxStream);
            show(text);
          }
        }

        function tryIt(method, path, operation) {
          const inputs = operation.parameters.map(parameter => {
            const placeholder = resolve(parameter.schema).type === "array" ? "one or more, with spaces between" : null;
            const value = parameter.example ?? "";
            return { parameter, input: element("input", { value, placeholder, required: parameter.required }) };
          });
          const media = operation.requestBody?.content?.["application/json"];
          const example = Object.values(media?.examples ?? {})[0]?.value;
          const body = media && element("textarea", { rows: 2, spellcheck: "false" }, JSON.stringify(example ?? {}));
          const output = element("pre", { hidden: true, "aria-live": "polite" });
          const stop = element("button", { type: "button", hidden: true }, "Stop");
          let current = new AbortController();
          stop.addEventListener("click", () => current.abort());
          const submit = async event => {
            event.preventDefault();
            current.abort();
            const { signal } = current = new AbortController();
            const { url, headers } = request(path, inputs, body);
            output.hidden = false;
            output.textContent = "…";
            const shown = curl(method, url, headers, body?.value);
            try {
              const begin = performance.now();
              const response = await fetch(url, { method, headers, body: body?.value, signal });
              const type = response.headers.get("Content-Type") ?? "no content type";
              const head = `${shown}\n\n${response.status} ${response.statusText} · ${type}`;
              if (type.startsWith("text/event-stream")) {
                stop.hidden = false;
                return await follow(response, text => { output.textContent = `${head}\n${text}`; });
              }
              const text = await response.text();
              output.textContent = `${head} · ${(performance.now() - begin).toFixed(1)} ms\n${pretty(text)}`;
            } catch (error) {
              if (!signal.aborted) output.textContent = `${shown}\n\n${error.message}`;
            } finally {
              // A later request may be at work by now.
              if (current.signal === signal) stop.hidden = true;
            }
          };
          return element("form", { submit },
            ...inputs.map(({ parameter, input }) => element("label", {}, parameter.name, input)),
            body && element("label", {}, "Body, JSON", body),
            element("div", { class: "buttons" }, element("button", { class: "primary" }, "Send"), stop),
            output);
        }

        function operationCard(method, path, operation) {
          const isSocket = "101" in (operation.responses ?? {});
          const parameters = operation.parameters.map(parameter =>
            element("p", {}, element("code", {}, parameter.name), ` in ${parameter.in}. `,
              ...prose(parameter.description)));
          const requestSchema = operation.requestBody?.content?.["application/json"]?.schema;
          return element("details", { class: "card operation" },
            element("summary", {},
              element("span", { class: "method " + method }, isSocket ? "WS" : method.toUpperCase()),
              element("span", { class: "path" }, path),
              element("span", { class: "title" }, operation.summary ?? "")),
            element("div", { class: "inside" },
              operation.description && element("p", {}, ...prose(operation.description)),
              ...parameters,
              requestSchema && element("h4", {}, "Request"),
              requestSchema && element("div", { class: "schema" }, describe(requestSchema)),
              element("h4", {}, "Try it"),
              isSocket
                ? element("p", {}, "In the ", element("a", { href: "#console" }, "console"), " above.")
                : tryIt(method.toUpperCase(), path, operation),
              element("h4", {}, "Answers"),
              element("table", {}, element("tbody", {}, ...responseRows(operation)))));
        }

        async function load() {
          const response = await fetch(address("/openapi.json"), { headers: authorized() });
          if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
          api = await response.json();
          $("#version").textContent = api.info.version;
          $("#about").replaceChildren(...prose(api.info.description));
          const groups = new Map(api.tags.map(tag => [tag.name, [element("h3", {}, ...prose(tag.description))]]));
          for (const [path, item] of Object.entries(api.paths)) {
            const { parameters: shared = [], ...operations } = item;
            for (const [method, operation] of Object.entries(operations)) {
              const parameters = [...shared, ...operation.parameters ?? []].map(resolve);
              groups.get(operation.tags?.[0])?.push(operationCard(method, path, { ...operation, parameters }));
            }
          }
          $("#operations").replaceChildren(...[...groups.values()].flat());
          const problem = api.components.schemas.Problem;
          $("#operations").append(
            element("h3", {}, `Errors, application/problem+json: ${problem.description ?? ""}`),
            element("div", { class: "card schema" }, describe(problem)));
        }

        load().catch(error => { $("#about").textContent = "The description did not load: " + error.message; });
        """#
}
