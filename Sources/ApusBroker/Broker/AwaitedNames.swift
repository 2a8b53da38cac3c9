/// Who is to be told of new topics of one name, by that name. A value, without a lock: its owner guards it with its
/// own.
///
/// A dictionary, and not a ``FilterTrie`` of names: a name is found by its hash, and takes no node for each of its
/// tokens.
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

    /// Gives back what was reserved for more names than there are now.
    mutating func releaseRoom() {
        mailboxes.releaseRoom()
        names.releaseRoom()
    }

    /// Those that wait for that name, who began first first.
    func all(of name: String) -> [(id: FilterID, mailbox: HubMailbox)] {
        guard !names.isEmpty, let waiting = mailboxes[ExactText(name)] else { return [] }
        // A dictionary's order is another in every process, and a run with the same seed must be the same run.
        return waiting.keys.sorted().compactMap { id in waiting[id].map { (id, $0) } }
    }
}
