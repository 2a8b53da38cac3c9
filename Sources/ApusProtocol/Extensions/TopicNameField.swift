/// The body that names a topic: `{"name":"orders"}`.
package enum TopicNameField {
    /// Reads the member `name`. Of a repeated member, the last counts.
    package static func read(_ bytes: UnsafeRawBufferPointer) -> Result<String, CommandError> {
        if let fault = JSONDocument.fault(in: bytes) { return .failure(CommandError(message: "The body is \(fault)")) }
        let root = JSONMembers.root(of: bytes)
        guard root.kind == .object, var members = JSONMembers(of: root, in: bytes) else {
            return .failure(CommandError(message: "The body must be a JSON object"))
        }
        var name = JSONToken.absent
        while let member = members.nextNamed() {
            if member.name == "name" { name = member.value }
        }
        guard !name.isAbsent else { return .failure(CommandError(message: "'name' is required")) }
        guard let text = name.text else { return .failure(CommandError(message: "'name' must be a string")) }
        guard let string = text.string(in: bytes) else {
            return .failure(CommandError(message: "'name' must not hold a lone surrogate"))
        }
        return .success(string)
    }
}
