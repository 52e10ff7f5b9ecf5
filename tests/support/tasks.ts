/** @file Runs tasks as a user does: another process, its own permissions, folders under a temporary root. */

import { temporaryFolder } from "./files.ts";

/** What a task printed and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const REPOSITORY = new URL("../../", import.meta.url).pathname;

/** A temporary place with the folders of tasks, set by L2VIT_ROOT. */
export class Workspace {
  readonly #folder = temporaryFolder();
  /** Ends in a slash. */
  readonly root = `${this.#folder.path}/`;

  /** Environment variables beside L2VIT_ROOT. */
  readonly env: Record<string, string> = {};

  readonly #program: string;

  /** @param program folder of the program, with a slash at its end */
  constructor(program = REPOSITORY) {
    this.#program = program;
    for (const name of ["data", "weights", "runs", "reports"]) Deno.mkdirSync(this.root + name);
  }

  /** Runs `deno task NAME ...`. */
  async task(name: string, ...args: string[]): Promise<Outcome> {
    return decode(await this.command(name, ...args).output());
  }

  /** The command of {@linkcode task}, to be started by the caller. */
  command(name: string, ...args: string[]): Deno.Command {
    return new Deno.Command("deno", { args: ["task", "--quiet", name, ...args], ...this.#options });
  }

  /** The command that `deno task NAME` runs, with its permissions; killing its process kills the task. */
  direct(name: string, ...args: string[]): Deno.Command {
    const [program, ...flags] = this.#words(name);
    return new Deno.Command(program!, { args: [...flags, ...args], stdin: "null", ...this.#options });
  }

  /**
   * Runs commands of the shell, `$TASK` among them for the command of a task, in a mount namespace of its own: what it
   * mounts goes away with it.
   */
  async withMounts(script: string, name: string, ...args: string[]): Promise<Outcome> {
    return decode(await this.inShell(script, name, ...args).output());
  }

  /** The command of {@linkcode withMounts}, to be started by the caller. */
  inShell(script: string, name: string, ...args: string[]): Deno.Command {
    const task = [...this.#words(name), ...args].map((word) => `'${word}'`).join(" ");
    return new Deno.Command("unshare", {
      args: ["--map-root-user", "--mount", "sh", "-c", script.replaceAll("$TASK", task).replaceAll("$ROOT", this.root)],
      ...this.#options,
    });
  }

  /** A task's command as the shell divides it, without what it finds out before. */
  #words(name: string): string[] {
    const { tasks } = JSON.parse(Deno.readTextFileSync(`${this.#program}deno.json`));
    const { command }: { command: string } = tasks[name];
    return command.replace(/^.* && /, "").replace(" $NOHUP", "").match(/"[^"]*"|[^ ]+/g)!.map((word) =>
      word.replaceAll('"', "").replaceAll("$L2VIT_ROOT", this.root)
    );
  }

  get #options() {
    return {
      cwd: this.#program,
      env: { L2VIT_ROOT: this.root, NO_COLOR: "1", LP_NATIVE_VECTOR_WIDTH: vectorWidth(), ...this.env },
      stdout: "piped",
      stderr: "piped",
    } as const;
  }

  /** A file under the root. */
  read(path: string): Uint8Array {
    return Deno.readFileSync(this.root + path);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

let width: string | undefined;

/** What tasks that train tell the software adapter, so that commands without their shell do the same. */
function vectorWidth(): string {
  const args = ["task", "--quiet", "--eval", "sh tasks/vector_width.sh"];
  return width ??= new TextDecoder().decode(new Deno.Command("deno", { args, cwd: REPOSITORY }).outputSync().stdout).trim();
}

function decode({ code, stdout, stderr }: Deno.CommandOutput): Outcome {
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a task that must succeed; its output is part of the error if it does not. */
export async function succeed(workspace: Workspace, name: string, ...args: string[]): Promise<Outcome> {
  const outcome = await workspace.task(name, ...args);
  if (outcome.code !== 0) throw new Error(`deno task ${name} ended with ${outcome.code}: ${outcome.stderr}`);
  return outcome;
}

/** Runs a task that must fail with code 1 and one line on standard error; returns the line. */
export async function fail(workspace: Workspace, name: string, ...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await workspace.task(name, ...args);
  const lines = stderr.trim().split("\n");
  if (code !== 1 || lines.length !== 1 || !lines[0]!.startsWith("error: ")) {
    throw new Error(`deno task ${name} should end with 1 and one line: it ended with ${code} and\n${stdout}\n${stderr}`);
  }
  return lines[0]!.slice("error: ".length);
}
