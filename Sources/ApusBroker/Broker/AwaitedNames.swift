import ApusProtocol

/// The hubs to notify when a topic of a given name is created. A value without a lock: its owner guards it.
///
/// This is a dictionary and not a ``FilterTrie`` of names. It finds a name by its hash, and needs no node for each
/// token.
struct AwaitedNames {
    private var mailboxes: [ExactText: [FilterID: HubMailbox]] = [:]
    private var names: [FilterID: ExactText] = [:]

    var count: Int { names.count }

    mutating func insert(_ id: FilterID, name: String, mailbox: HubMailbox) {
        mailboxes[ExactText(name), default: [:]][id] = mailbox
        names[id] = ExactText(name)
    }

    mutating func remove(_ id: FilterID) {
        guard let name = names.removeValue(forKey: id) else { return }
        mailboxes[name]?[id] = nil
        if mailboxes[name]?.isEmpty == true { mailboxes[name] = nil }
        if names.isEmpty { self = AwaitedNames() }
    }

    /// Releases capacity for more names than there are now.
    mutating func releaseRoom() {
        mailboxes.releaseRoom()
        names.releaseRoom()
    }

    /// The registrations for that name, the oldest first.
    func all(of name: String) -> [(id: FilterID, mailbox: HubMailbox)] {
        guard !names.isEmpty, let waiting = mailboxes[ExactText(name)] else { return [] }
        // A dictionary's order differs between processes, but a run with the same seed must repeat exactly.
        return waiting.keys.sorted().compactMap { id in waiting[id].map { (id, $0) } }
    }
}
