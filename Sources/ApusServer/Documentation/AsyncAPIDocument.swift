import ApusProtocol

/// The WebSocket's commands and messages as an AsyncAPI 3.0 document, served at `/asyncapi.json`.
///
/// `Resources/asyncapi` is the one table of them. The console's view *Try* reads the document, and
/// `dev/protocol-tables` makes the tables of `docs/protocol.md` from the same files.
enum AsyncAPIDocument {
    static let mediaType = "application/vnd.aai.asyncapi+json;version=3.0.0"

    /// - Parameters:
    ///   - basePath: the prefix of all paths of the server; may be empty.
    ///   - settings: the limits of values, whether credentials are required, and whether TLS is spoken.
    static func json(basePath: String = "", settings: ServerConfiguration = ServerConfiguration()) -> String {
        let schemas = [EmbeddedTexts.asyncapi_schemas_json] + ofDialects([EmbeddedTexts.asyncapi_dialect_schemas_json])
        let messages = [
            EmbeddedTexts.asyncapi_commands_json, EmbeddedTexts.asyncapi_replies_json,
            EmbeddedTexts.asyncapi_infos_json,
        ]
        let parts: [String: Template.Value] = [
            "channels": .json(Template.merged(ofDialects([EmbeddedTexts.asyncapi_channels_json]))),
            "operations": .json(Template.merged(ofDialects([EmbeddedTexts.asyncapi_operations_json]))),
            "schemas": .json(Template.merged(schemas)),
            "messages": .json(Template.merged(ofDialects(messages))),
        ]
        let document = Template(EmbeddedTexts.asyncapi_document_json).filled(with: parts)
        return Template(document).filled(with: values(basePath: basePath, settings))
    }

    /// Each template once for each dialect.
    private static func ofDialects(_ templates: [String]) -> [String] {
        Dialect.allCases.flatMap { dialect in templates.map { Template($0).filled(with: values(of: dialect)) } }
    }

    private static func values(of dialect: Dialect) -> [String: Template.Value] {
        let isBase = dialect == .base
        let uuid = "^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$"
        let rule = isBase ? #""pattern": \#(jsonString(uuid))"# : #""minLength": 1"#
        let id = isBase ? "a UUID, with or without dashes" : "any non-empty string"
        return [
            "dialect": .text("\(dialect)"),
            "prefix": .text(dialect.pathPrefix),
            // The names of operations and components must be unique in the document.
            "suffix": .text(isBase ? "" : "V1"),
            "time": .text(isBase ? "ts" : "timestamp"),
            "message_id": .text(id),
            "id_schema": .json(
                #"{ "description": "The message's id, \#(id).", "type": "string", \#(rule) }"#
            ),
        ]
    }

    private static func values(basePath: String, _ settings: ServerConfiguration) -> [String: Template.Value] {
        let limits = settings.limits
        let schemes = ["apiKeyHeader", "apiKeyQuery", "bearer", "tokenQuery"]
        let security = schemes.map { ##"{ "$ref": "#/components/securitySchemes/\##($0)" }"## }.joined(separator: ", ")
        return [
            "version": .text(apusVersion),
            "protocol": .text(settings.tls.isOn ? "wss" : "ws"),
            "base_path": .text(basePath.isEmpty ? "/" : basePath),
            // Without a list, as without a credential, everybody is welcome.
            "security": .json(settings.access.needsCredential ? "[\(security)]" : "[]"),
            "max_client_id": .json("\(limits.maxClientID)"),
            "max_queue": .json("\(Field.queue.range(limits).upperBound)"),
            "max_batch": .json("\(Field.messages.range(limits).upperBound)"),
        ]
    }
}
