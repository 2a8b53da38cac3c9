import ApusBroker
import ApusCluster
import ApusProtocol

// What a node says to people and writes for other nodes.

extension CommitFailure {
    init(_ failure: ClusterFailure) {
        let message =
            switch failure {
            case .unavailable: "The cluster does not answer: whether the message was published is not known"
            case .deleted: "The topic was deleted, or made anew, meanwhile"
            case .refused(let reason): "The cluster takes no such message: \(reason)"
            case .overloaded: "Too much waits for the cluster"
            }
        self.init(message: message, isFinal: false)
    }
}

extension TopicSettings {
    /// The settings as the registry has them: a JSON object.
    var clusterText: String { "{" + fields.members.joined(separator: ", ") + "}" }

    /// - Returns: `nil` if they cannot be read.
    init?(clusterText: String) {
        var text = clusterText
        let read = text.withUTF8 { TopicSettingsFields.read(UnsafeRawBufferPointer($0), maxQueue: .max) }
        guard case .success(let fields) = read else { return nil }
        self.init()
        change(to: fields)
    }
}
