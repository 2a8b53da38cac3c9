package import ApusProtocol

extension TopicSettings {
    /// Applies the settings that are given.
    package mutating func change(to fields: TopicSettingsFields) {
        if let value = fields.history { history = value }
        if let value = fields.historyAge { historyAge = value }
        if let value = fields.historyBytes { historyBytes = value }
        if let value = fields.queue { queue = value }
        if let value = fields.overflow { overflow = value }
        if let value = fields.dedupeWindow { dedupeWindow = value }
        if let value = fields.ttl { ttl = value }
        if let value = fields.topicRate { topicRate = value }
        if let value = fields.topicBurst { topicBurst = value }
        if let value = fields.durability { durability = value }
    }

    /// The settings that the topic has of its own.
    package var fields: TopicSettingsFields {
        var fields = TopicSettingsFields()
        if let history { fields.history = .some(history) }
        if let historyAge { fields.historyAge = .some(historyAge) }
        if let historyBytes { fields.historyBytes = .some(historyBytes) }
        if let queue { fields.queue = .some(queue) }
        if let overflow { fields.overflow = .some(overflow) }
        if let dedupeWindow { fields.dedupeWindow = .some(dedupeWindow) }
        if let ttl { fields.ttl = .some(ttl) }
        if let topicRate { fields.topicRate = .some(topicRate) }
        if let topicBurst { fields.topicBurst = .some(topicBurst) }
        if let durability { fields.durability = .some(durability) }
        return fields
    }
}
