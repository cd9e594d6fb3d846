/** What a host id looks like. */
export const hostIdPattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** What a metric's name looks like, but for its length. */
export const metricNamePattern: RegExp = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** What a label's name looks like, but for its length. */
export const labelNamePattern: RegExp = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
/** What names of OpenTelemetry look like that are translated. */
export const openTelemetryPattern: RegExp = /^[a-zA-Z][a-zA-Z0-9_./-]*$/;
