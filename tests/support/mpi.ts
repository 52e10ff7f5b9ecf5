/**
 * @file Processes started by mpirun, as a user starts them: by the launchers of Debian's openmpi-bin and mpich, which can be installed
 * together. Tests of a launcher that is not installed say so.
 */

/** A launcher, and the library that belongs to it. */
export interface Launcher {
  /** Name of the library. */
  readonly name: "Open MPI" | "MPICH";
  /** Debian's package. */
  readonly package: string;
  /** The command for so many processes. */
  readonly command: string;
}

/** Ranks are more than cores here, and tests may be root's. */
export const LAUNCHERS: readonly Launcher[] = [
  {
    name: "Open MPI",
    package: "openmpi-bin",
    command: "mpirun.openmpi --allow-run-as-root --oversubscribe --bind-to none -n",
  },
  { name: "MPICH", package: "mpich", command: "mpirun.mpich -n" },
];

/** What all processes together printed and how the launcher ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How processes are started. */
export interface LaunchOptions {
  /** Environment variables beside the test's own. */
  readonly env?: Record<string, string>;
  /** Seconds after which the launcher is ended. */
  readonly limit?: number;
  readonly cwd?: string;
}

/** The command of a launcher that starts so many processes of a program, to be started by the caller. */
export function launch({ command }: Launcher, ranks: number, program: string, options: LaunchOptions = {}): Deno.Command {
  const { env = {}, limit = 900, cwd } = options;
  // deno task is a shell that tests may use; a launcher without a terminal must find an end of its input
  const line = `timeout -k 5 ${limit} ${command} ${ranks} ${program} < /dev/null`;
  return new Deno.Command("deno", {
    args: ["task", "--quiet", "--eval", line],
    env: { NO_COLOR: "1", ...env },
    ...(cwd !== undefined && { cwd }),
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs so many processes of a program to their end. */
export async function runRanks(launcher: Launcher, ranks: number, program: string, options: LaunchOptions = {}): Promise<Outcome> {
  const { code, stdout, stderr } = await launch(launcher, ranks, program, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A test for each launcher; where one is not installed, a test whose name says that it was not run, and why. */
export function testRanks(
  name: string,
  body: (launcher: Launcher) => Promise<void>,
  options: Omit<Deno.TestDefinition, "fn" | "name"> = {},
): void {
  for (const launcher of LAUNCHERS) {
    const why = missing(launcher);
    if (why === undefined) Deno.test({ ...options, name: `${name} (${launcher.name})`, fn: () => body(launcher) });
    else Deno.test(`not run, since ${why}: ${name} (${launcher.name})`, () => {});
  }
}

const libraries = new Map<Launcher, Promise<string>>();

/** The file of a launcher's library, as the program finds it. */
export async function libraryOf(launcher: Launcher): Promise<string> {
  const asked = libraries.get(launcher) ??
    runRanks(launcher, 1, "sh tasks/mpi_library.sh", { cwd: REPOSITORY }).then(({ stdout }) => stdout.trim());
  libraries.set(launcher, asked);
  return await asked;
}

const REPOSITORY = new URL("../../", import.meta.url).pathname;

function missing({ command, package: name }: Launcher): string | undefined {
  const [program] = command.split(" ");
  const { success } = new Deno.Command("deno", {
    args: ["task", "--quiet", "--eval", `${program} --version`],
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? undefined : `${program} is not installed (apt-get install ${name})`;
}
