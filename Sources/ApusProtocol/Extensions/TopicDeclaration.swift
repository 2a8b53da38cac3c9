/// A topic that exists from the start, with its declared settings.
package struct TopicDeclaration: Sendable, Equatable {
    package var name: String
    package var settings: TopicSettingsFields

    package init(name: String, settings: TopicSettingsFields = TopicSettingsFields()) {
        self.name = name
        self.settings = settings
    }

    /// Parses a JSON list of objects, each with a `name` and the settings of a `PUT /topics/{name}`.
    ///
    /// - Parameters:
    ///   - maxQueue: the largest `queue` accepted.
    ///   - isAllowed: whether a topic may have that name.
    /// - Returns: the topics, or an error that names the faulty topic.
    package static func readList(
        _ text: String,
        maxQueue: Int,
        isAllowed: (String) -> Bool
    ) -> Result<[TopicDeclaration], CommandError> {
        var text = text
        return text.withUTF8 { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            if let fault = JSONDocument.fault(in: bytes) {
                return .failure(CommandError(message: #"it is \#(fault); write a list such as [{"name":"orders"}]"#))
            }
            let root = JSONMembers.root(of: bytes)
            guard root.kind == .array, var elements = JSONMembers(of: root, in: bytes) else {
                return .failure(CommandError(message: "it must be a list"))
            }
            var topics: [TopicDeclaration] = []
            var names: Set<[UInt8]> = []
            while let (_, element) = elements.next() {
                var topic = TopicDeclaration(name: "")
                do throws(FieldError) {
                    try topic.read(element, in: bytes, maxQueue: maxQueue, isAllowed: isAllowed)
                } catch {
                    let name = topic.name.isEmpty ? "" : " ('\(String(topic.name.unicodeScalars.prefix(64)))')"
                    return .failure(CommandError(message: "topic \(topics.count + 1)\(name): \(error.message)"))
                }
                guard names.insert(Array(topic.name.utf8)).inserted else {
                    return .failure(CommandError(message: "'\(topic.name)' is there twice"))
                }
                topics.append(topic)
            }
            return .success(topics)
        }
    }

    private mutating func read(
        _ token: JSONToken,
        in bytes: UnsafeRawBufferPointer,
        maxQueue: Int,
        isAllowed: (String) -> Bool
    ) throws(FieldError) {
        guard token.kind == .object else { throw FieldError(message: "it must be an object") }
        // Read the name first, so that later errors can mention it.
        var members = JSONMembers(of: token, in: bytes)
        while let (key, value) = members?.nextNamed() {
            guard key == "name" else { continue }
            // An unquoted name in a file may look like a number.
            let isNumber = value.kind == .integer || value.kind == .fraction
            let text = isNumber ? String(decoding: bytes[value.range], as: UTF8.self) : value.text?.string(in: bytes)
            guard let text else { throw FieldError("name", "must be a string") }
            name = text
        }
        guard !name.isEmpty else { throw FieldError("name", "is required") }
        guard isAllowed(name) else {
            throw FieldError("name", "must be 1 to 255 bytes without control characters, '*' and '>'")
        }
        members = JSONMembers(of: token, in: bytes)
        while let (key, value) = members?.next() {
            guard let key = key.string(in: bytes), key != "name" else { continue }
            try settings.set(key, to: value, in: bytes, maxQueue: maxQueue)
        }
    }
}
