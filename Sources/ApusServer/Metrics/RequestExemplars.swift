import ApusProtocol
import NIOConcurrencyHelpers

/// For each bucket of the requests' durations, the trace of the last one that was recorded.
final class RequestExemplars: Sendable {
    private let newest = NIOLockedValueBox<[Int: Exemplar]>([:])

    func add(_ trace: TraceContext, took seconds: Double) {
        let bounds = HistogramValue.durationBounds
        let bucket = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        let exemplar = Exemplar([("trace_id", trace.traceText)], value: seconds, time: ServerClock.now.wall)
        newest.withLockedValue { $0[bucket] = exemplar }
    }

    /// - Parameter family: the histogram's name.
    func all(of family: String) -> [Exemplar.Place: Exemplar] {
        let newest = newest.withLockedValue { $0 }
        return Dictionary(
            uniqueKeysWithValues: newest.map { (Exemplar.Place(family: family, bucket: $0.key), $0.value) }
        )
    }
}
