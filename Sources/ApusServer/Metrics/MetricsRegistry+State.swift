extension MetricsRegistry {
    /// All registered series.
    struct State {
        private struct Family {
            /// The label in swift-metrics.
            let label: String
            let kind: MetricKind
            var cells: [MetricLabels: any MetricCell] = [:]
        }

        var help: [String: String] = [:]
        private var byName: [String: Family] = [:]
        /// Every name that appears on a line of a scrape.
        private var sampleNames: Set<String> = []
        private var seriesCount = 0
        private var foldedCount = 0
        private var unnamedCount = 0
        private var conflictCount = 0

        /// The cell of a series, or that of its family's overflow series; `nil` when the series is not exported.
        mutating func cell<Cell: MetricCell>(
            _ id: SeriesID,
            label: String,
            kind: MetricKind,
            maxSeries: Int,
            make: (SeriesID) -> Cell
        ) -> Cell? {
            guard let family = byName[id.family] else {
                return addFamily(id, label: label, kind: kind, maxSeries: maxSeries, make: make)
            }
            guard family.kind == kind else {
                conflictCount += 1
                return nil
            }
            if let cell = family.cells[id.labels] { return cell as? Cell }
            guard seriesCount < maxSeries else {
                foldedCount += 1
                let overflow = SeriesID(family: id.family, labels: .overflow)
                if let cell = family.cells[overflow.labels] { return cell as? Cell }
                return add(make(overflow))
            }
            return add(make(id))
        }

        private mutating func addFamily<Cell: MetricCell>(
            _ id: SeriesID,
            label: String,
            kind: MetricKind,
            maxSeries: Int,
            make: (SeriesID) -> Cell
        ) -> Cell? {
            let names = kind.sampleNames(of: id.family)
            guard sampleNames.isDisjoint(with: names) else {
                conflictCount += 1
                return nil
            }
            guard seriesCount < maxSeries else {
                unnamedCount += 1
                return nil
            }
            sampleNames.formUnion(names)
            byName[id.family] = Family(label: label, kind: kind)
            return add(make(id))
        }

        private mutating func add<Cell: MetricCell>(_ cell: Cell) -> Cell {
            byName[cell.id.family]?.cells[cell.id.labels] = cell
            seriesCount += 1
            return cell
        }

        /// Removes a series. An overflow series stays, because several series may share it.
        mutating func remove(_ cell: any MetricCell) {
            let id = cell.id
            guard let family = byName[id.family], family.cells[id.labels] === cell, id.labels != .overflow else {
                return
            }
            byName[id.family]?.cells[id.labels] = nil
            seriesCount -= 1
            guard family.cells.count == 1 else { return }
            byName[id.family] = nil
            sampleNames.subtract(family.kind.sampleNames(of: id.family))
        }

        /// A snapshot of all series, and of the registry's own metrics.
        var families: [MetricFamily] {
            let measured = byName.map { name, family in
                MetricFamily(
                    name: name,
                    help: help[family.label] ?? "The swift-metrics \(family.kind.rawValue) \(family.label).",
                    kind: family.kind,
                    samples: family.cells.map { MetricFamily.Sample($0.key, $0.value.value) }
                )
            }
            return measured + [
                MetricFamily(
                    name: "apus_metrics_series",
                    help: "Series that the metrics registry keeps.",
                    kind: .gauge,
                    value: .integer(seriesCount)
                ),
                MetricFamily(
                    name: "apus_metrics_refused_total",
                    help: "How often a series was asked for that is not exported as such.",
                    kind: .counter,
                    samples: [
                        MetricFamily.Sample(["reason": "folded"], .integer(foldedCount)),
                        MetricFamily.Sample(["reason": "max_series"], .integer(unnamedCount)),
                        MetricFamily.Sample(["reason": "name"], .integer(conflictCount)),
                    ]
                ),
            ]
        }
    }
}
