extension MetricFamily {
    /// Merges families for a scrape: each name once, each series once, sorted.
    ///
    /// The event loops and the registry each provide their own families. Families of the same name and kind become one,
    /// and equal series are added up. A family that would use the name of another one is left out, because Prometheus
    /// rejects the whole scrape otherwise.
    static func merged(_ families: [MetricFamily]) -> [MetricFamily] {
        var byName: [String: MetricFamily] = [:]
        var taken: Set<String> = []
        for family in families {
            if byName[family.name]?.kind == family.kind {
                byName[family.name]?.samples += family.samples
            } else if taken.isDisjoint(with: family.sampleNames) {
                taken.formUnion(family.sampleNames)
                byName[family.name] = family
            }
        }
        return byName.values.sorted { $0.name < $1.name }.map { family in
            var family = family
            family.samples = added(family.samples)
            return family
        }
    }

    private static func added(_ samples: [Sample]) -> [Sample] {
        guard samples.count > 1 else { return samples }
        return Dictionary(samples.map { ($0.labels, $0.value) }, uniquingKeysWith: +)
            .map { Sample($0.key, $0.value) }
            .sorted { $0.labels < $1.labels }
    }
}
