public import ApusLoad
public import ArgumentParser

// A conformance of a public type is as public as the type, so both imports must be public.
extension LoadSettings.Credit: ExpressibleByArgument {}
extension LoadSettings.Waiting: ExpressibleByArgument {}
