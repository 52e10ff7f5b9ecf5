/**
 * @file Publishes small reports, one after the other, in each of them every file ends with a line that no other report has:
 * publish.ts FOLDER NAME COUNT.
 */

import { ReportFolder } from "../../lib/cli/report_folder.ts";

const [path, name, count] = Deno.args as [string, string, string];

for (let n = 0; n < Number(count); n++) {
  using folder = new ReportFolder(path);
  const report = `\n${name} ${n}`, figures = ["roc", `mass-${name}-${n % 3}`];
  folder.begin("report.html").write(figures.map((figure) => `<figure id="${figure}">`).join("") + report);
  for (const file of ["metrics.json", "predictions.csv", ...figures.map((figure) => `figures/${figure}.svg`)]) {
    folder.begin(file).write(report);
  }
  await folder.publish();
  if (n === 0) console.log("published");
}
