import ApusProtocol

/// The REST API as an OpenAPI 3.1 document, served at `/openapi.json` and used by the page at `/docs`.
///
/// It is written by hand in `Resources/openapi`, because it is a promise to clients and not derived from the
/// implementation. Tests compare it with the tables of endpoints and fields. Both dialects share the templates of their
/// paths.
enum OpenAPIDocument {
    /// - Parameters:
    ///   - basePath: the prefix of all paths of the server; may be empty.
    ///   - settings: the limits of values, and whether API keys are required.
    static func json(basePath: String = "", settings: ServerConfiguration = ServerConfiguration()) -> String {
        let parts: [String: Template.Value] = [
            "paths": .json(Template.merged(ofDialects(pathsOfDialects) + paths)),
            "parameters": .json(EmbeddedTexts.openapi_parameters_json),
            "responses": .json(EmbeddedTexts.openapi_responses_json),
            "schemas": .json(Template.merged(ofDialects([EmbeddedTexts.openapi_schemas_dialect_json]) + schemas)),
        ]
        let document = Template(EmbeddedTexts.openapi_document_json).filled(with: parts)
        return Template(document).filled(with: values(basePath: basePath, settings))
    }

    // MARK: Parts

    private static let pathsOfDialects = [
        EmbeddedTexts.openapi_dialect_topics_json, EmbeddedTexts.openapi_dialect_messages_json,
        EmbeddedTexts.openapi_dialect_streams_json, EmbeddedTexts.openapi_dialect_subscribers_json,
        EmbeddedTexts.openapi_dialect_server_json,
    ]

    private static let paths = [
        EmbeddedTexts.openapi_paths_operations_json, EmbeddedTexts.openapi_paths_revocations_json,
        EmbeddedTexts.openapi_paths_access_json, EmbeddedTexts.openapi_paths_connections_json,
        EmbeddedTexts.openapi_paths_trace_json, EmbeddedTexts.openapi_paths_docs_json,
        EmbeddedTexts.openapi_paths_console_json, EmbeddedTexts.openapi_paths_cluster_json,
    ]

    private static let schemas = [
        EmbeddedTexts.openapi_schemas_topics_json, EmbeddedTexts.openapi_schemas_values_json,
        EmbeddedTexts.openapi_schemas_settings_json, EmbeddedTexts.openapi_schemas_messages_json,
        EmbeddedTexts.openapi_schemas_subscribers_json, EmbeddedTexts.openapi_schemas_server_json,
        EmbeddedTexts.openapi_schemas_revocations_json, EmbeddedTexts.openapi_schemas_access_json,
        EmbeddedTexts.openapi_schemas_trace_json, EmbeddedTexts.openapi_schemas_console_json,
        EmbeddedTexts.openapi_schemas_cluster_json,
    ]

    /// Each template once for each dialect.
    private static func ofDialects(_ templates: [String]) -> [String] {
        Dialect.allCases.flatMap { dialect in templates.map { Template($0).filled(with: values(of: dialect)) } }
    }

    // MARK: Values

    private static func values(of dialect: Dialect) -> [String: Template.Value] {
        let isBase = dialect == .base
        return [
            "dialect": .text("\(dialect)"),
            "prefix": .text(dialect.pathPrefix),
            // The ids of operations and the names of schemas must be unique in the document.
            "suffix": .text(isBase ? "" : "V1"),
            "time": .text(isBase ? "ts" : "timestamp"),
            "uptime": .text(isBase ? "uptime_sec" : "uptime_seconds"),
            "message_id": .text(isBase ? "a UUID, with or without dashes" : "any non-empty string"),
        ]
    }

    private static func values(basePath: String, _ settings: ServerConfiguration) -> [String: Template.Value] {
        let optional = settings.access.needsCredential ? "[" : "[{}, "
        let header = #"{ "ApiKeyAuth": [] }, { "BearerAuth": [] }"#
        let query = #"{ "ApiKeyQuery": [] }, { "TokenQuery": [] }"#
        let policies = OverflowPolicy.allCases.map(\.rawValue)
        var values: [String: Template.Value] = [
            "version": .text(apusVersion),
            "base_path": .text(basePath.isEmpty ? "/" : basePath),
            "security": .json("\(optional)\(header)]"),
            "stream_security": .json("\(optional)\(header), \(query)]"),
            "overflow_policies": .json(jsonList(policies)),
            // The error codes that a REST response can have.
            "problem_codes": .json(jsonList(ErrorCode.allCases.filter { $0 != .slowConsumer }.map(\.rawValue))),
            "max_count": .json("\(Int64.max)"),
        ]
        for field in Field.all {
            if !field.component.isEmpty {
                values["parameter.\(field.component)"] = .json(field.schema(settings.limits))
            }
            if field.places.contains(.settings) {
                values["setting.\(field.name)"] = .json(field.settingSchema(settings.limits))
            }
        }
        // Without a folder, the server has no more than memory.
        if settings.storage.data.isEmpty {
            let memory = Field("durability", .choice([Durability.memory.rawValue]), in: [.settings])
            values["setting.durability"] = .json(memory.settingSchema(settings.limits))
        }
        return values
    }
}
