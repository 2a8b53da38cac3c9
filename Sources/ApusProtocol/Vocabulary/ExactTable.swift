/// Values by text that is compared byte for byte, as names of topics and ids of messages are.
///
/// A dictionary of strings takes `é` for the same key, however it is written.
package struct ExactTable<Value> {
    private var entries: [ExactText: Value] = [:]

    package init() {}

    package var count: Int { entries.count }
    package var values: some Collection<Value> { entries.values }

    package subscript(_ key: String) -> Value? {
        get { entries[ExactText(key)] }
        _modify { yield &entries[ExactText(key)] }
    }

    package subscript(_ key: String, default value: @autoclosure () -> Value) -> Value {
        get { entries[ExactText(key)] ?? value() }
        _modify { yield &entries[ExactText(key), default: value()] }
    }

    @discardableResult
    package mutating func removeValue(forKey key: String) -> Value? { entries.removeValue(forKey: ExactText(key)) }

    @discardableResult
    package mutating func updateValue(_ value: Value, forKey key: String) -> Value? {
        entries.updateValue(value, forKey: ExactText(key))
    }

    package mutating func changeValues(_ change: (inout Value) -> Void) {
        for place in entries.values.indices { change(&entries.values[place]) }
    }

    package mutating func removeAll() { entries = [:] }
}

extension ExactTable: Sendable where Value: Sendable {}
