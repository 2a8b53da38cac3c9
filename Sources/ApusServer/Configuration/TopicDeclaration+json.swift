import ApusProtocol

extension TopicDeclaration {
    /// The declaration as JSON, as it may appear in a file.
    var json: String {
        let members = [#""name": "# + PlainText.quoted(name)] + settings.members
        return "{" + members.joined(separator: ", ") + "}"
    }
}
