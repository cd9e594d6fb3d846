/**
 * A shell command that pushes one sample, stamped with the present, to the broker at `origin`. Plain `curl` and `date`,
 * so that it works wherever it is pasted.
 */
export function pushCommand(origin: string): string {
  const report = `{"reports":[{"hostId":"web-1","timestampMs":"'$(date +%s)000'",`;
  const samples = `"samples":[{"name":"room_temperature_celsius","value":21.5,"kind":"KIND_GAUGE"}]}]}`;
  return [
    `curl ${origin}/mon.v1.MonitorService/Push \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '${report}`,
    `  ${samples}'`,
  ].join("\n");
}
