/// The id of a published message, as its publisher wrote it.
package enum PublishedID {
    /// Whether the object has the member `id` with that text.
    ///
    /// - Parameter message: JSON that was checked when it was published.
    package static func matches(_ id: String, in message: UnsafeRawBufferPointer) -> Bool {
        guard var members = JSONMembers(of: JSONMembers.root(of: message), in: message) else { return false }
        while let (name, value) = members.next() {
            guard name.string(in: message) == "id" else { continue }
            return value.text?.string(in: message).map { $0.utf8.elementsEqual(id.utf8) } ?? false
        }
        return false
    }
}
