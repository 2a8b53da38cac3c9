/// Events by their time; those of one time in the order in which they were added.
struct EventQueue<Event> {
    private struct Item {
        let time: Int64
        let order: Int
        let slot: Int
    }

    private var items: [Item] = []
    /// Apart from the heap, as they are large.
    private var events: [Event?] = []
    private var free: [Int] = []
    private var count = 0

    var next: Int64? { items.first?.time }

    mutating func add(_ event: Event, at time: Int64) {
        let slot = free.popLast() ?? events.count
        if slot == events.count { events.append(event) } else { events[slot] = event }
        count += 1
        let item = Item(time: time, order: count, slot: slot)
        var index = items.count
        items.append(item)
        while index > 0 {
            let parent = (index - 1) / 2
            let other = items[parent]
            if other.time < time || (other.time == time && other.order < item.order) { break }
            items[index] = other
            index = parent
        }
        items[index] = item
    }

    mutating func pop() -> (time: Int64, event: Event)? {
        guard let first = items.first, let event = events[first.slot], let last = items.popLast() else { return nil }
        events[first.slot] = nil
        free.append(first.slot)
        let count = items.count
        guard count > 0 else { return (first.time, event) }
        var index = 0
        while true {
            var child = 2 * index + 1
            if child >= count { break }
            if child + 1 < count, isBefore(items[child + 1], items[child]) { child += 1 }
            if isBefore(last, items[child]) { break }
            items[index] = items[child]
            index = child
        }
        items[index] = last
        return (first.time, event)
    }

    private func isBefore(_ left: Item, _ right: Item) -> Bool {
        left.time == right.time ? left.order < right.order : left.time < right.time
    }
}
