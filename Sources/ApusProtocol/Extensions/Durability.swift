/// What an acked message of a topic survives.
public enum Durability: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Nothing: it is gone with the server's process.
    case memory
    /// The end of the process, but not a crash of the machine: the operating system has it.
    case os
    /// A crash of the machine: it was flushed to the disk.
    case disk
    /// The end of some of the cluster's machines at any time, and a crash of all of them that are not without power.
    case replicatedUnsynced = "replicated-unsynced"
    /// A crash of all machines of the cluster: most of its stores have flushed it to their disks.
    case replicated

    public static func < (left: Durability, right: Durability) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .memory: 0
        case .os: 1
        case .disk: 2
        case .replicatedUnsynced: 3
        case .replicated: 4
        }
    }
}
