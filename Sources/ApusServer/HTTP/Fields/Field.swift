import ApusProtocol

/// A value that a client may give: a row of the table ``all``.
///
/// The readers of queries take their bounds from it, and the OpenAPI document its schemas. Tests compare it with what
/// the readers of commands accept, with the OpenAPI document, and with `docs/protocol.md`.
struct Field: Sendable {
    typealias Limits = ServerConfiguration.Limits

    /// Where the value may be given.
    enum Place: Hashable, Sendable {
        case subscribe, publish
        case query(Operation)
        case header(Operation)
        /// In a topic's settings, where `null` resets it.
        case settings
    }

    enum Kind: Sendable {
        case flag
        case integer
        /// Bounds are in bytes.
        case text
        /// Bounds are in milliseconds.
        case duration
        /// So many times a second, minute or hour.
        case rate
        case policy
        case choice([String])
        /// A topic or pattern. Bounds say how many may be given.
        case topics
        /// Messages of a batch.
        case messages
        /// A trace context, or anything else, which is passed over.
        case traceContext
        /// What the OpenAPI document describes in the schema of this name.
        case schema(String)
    }

    let name: String
    let kind: Kind
    let places: [Place]
    /// The name of the field's parameter in the OpenAPI document.
    let component: String
    /// The value without the field, as JSON.
    let standard: String?
    private let bounds: (@Sendable (Limits) -> ClosedRange<Int>)?

    init(
        _ name: String,
        _ kind: Kind,
        in places: [Place],
        component: String = "",
        standard: String? = nil,
        bounds: (@Sendable (Limits) -> ClosedRange<Int>)? = nil
    ) {
        self.name = name
        self.kind = kind
        self.places = places
        self.component = component
        self.standard = standard
        self.bounds = bounds
    }

    func range(_ limits: Limits) -> ClosedRange<Int> { bounds?(limits) ?? 0 ... .max }

    // MARK: Schemas

    /// The JSON schema of the field as a parameter.
    func schema(_ limits: Limits) -> String {
        let members: [String]
        switch kind {
        case .flag: members = [#""type": "boolean""#]
        case .integer: members = [#""type": "integer""#] + sizes(limits, "minimum", "maximum")
        case .text: members = [#""type": "string""#] + (bounds == nil ? [] : sizes(limits, "minLength", "maxLength"))
        case .choice(let names): members = [#""enum": \#(jsonList(names))"#]
        case .topics:
            let items = Self.reference("TopicOrPattern")
            members = [#""type": "array", "items": \#(items)"#] + sizes(limits, "minItems", "maxItems")
        case .traceContext: members = [#""type": "string""#]
        case .messages: members = [#""type": "array""#] + sizes(limits, "minItems", "maxItems")
        case .duration: return Self.reference(range(limits).lowerBound > 0 ? "Duration" : "WaitDuration")
        case .rate: return Self.reference("SettingRate")
        case .policy: return Self.reference("OverflowPolicy")
        case .schema(let name): return Self.reference(name)
        }
        let standard = standard.map { [#""default": \#($0)"#] } ?? []
        return "{ " + (members + standard).joined(separator: ", ") + " }"
    }

    /// The JSON schema of the field as a setting of a topic.
    func settingSchema(_ limits: Limits) -> String {
        switch kind {
        case .integer:
            let members = [#""type": ["integer", "null"]"#] + sizes(limits, "minimum", "maximum")
            return "{ " + members.joined(separator: ", ") + " }"
        case .policy: return Self.nullable(OverflowPolicy.allCases.map(\.rawValue))
        case .choice(let names): return Self.nullable(names)
        case .duration: return Self.reference("SettingDuration")
        default: return schema(limits)
        }
    }

    private static func nullable(_ names: [String]) -> String {
        #"{ "enum": [\#((names.map { jsonString($0) } + ["null"]).joined(separator: ", "))] }"#
    }

    private func sizes(_ limits: Limits, _ least: String, _ most: String) -> [String] {
        let range = range(limits)
        let most = range.upperBound == .max ? [] : [#""\#(most)": \#(range.upperBound)"#]
        return [#""\#(least)": \#(range.lowerBound)"#] + most
    }

    private static func reference(_ schema: String) -> String { ##"{ "$ref": "#/components/schemas/\##(schema)" }"## }
}

/// A JSON array of strings.
func jsonList(_ texts: [String]) -> String {
    "[" + texts.map(jsonString).joined(separator: ", ") + "]"
}
