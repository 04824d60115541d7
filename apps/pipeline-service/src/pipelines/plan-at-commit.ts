import { type CiConfig, type PipelineContext, type Plan, planPipeline, type ProjectRefusal } from '#libs/ci-config';

/** What rules may ask about repositories, and who looks it up. */
export interface Lookups {
  /** Paths changed since the merge base with a ref; null: there is no such ref. */
  changedSince: (ref: string) => Promise<readonly string[] | null>;
  /** Paths of another project's files at a ref; null: at the head of its default branch. */
  filesOf: (project: string, ref: string | null) => Promise<readonly string[] | ProjectRefusal>;
}

/** As many answers of a kind one configuration gets; whatever else it asks for is not there. */
const answersAtMost = 50;

/**
 * Plans a pipeline. Planning is pure, so what `rules:changes:compare_to` and `rules:exists:project` ask for is found out by planning: what was not
 * known yet is looked up, and it is planned again (ci-config.md §2.4).
 *
 * @throws what the lookups throw
 */
export async function planAtCommit(lookups: Lookups, config: CiConfig, context: PipelineContext): Promise<Plan> {
  if (!config.usesCompareTo && !config.usesOtherProjects) return planPipeline(config, context);
  const changes = new Answers<[ref: string], readonly string[] | null>(lookups.changedSince, null);
  const files = new Answers<[project: string, ref: string | null], readonly string[] | ProjectRefusal>(
    lookups.filesOf,
    'no such project',
  );
  for (;;) {
    const plan = planPipeline(config, {
      ...context,
      changedSince: (ref) => changes.to([], ref),
      filesOf: (project, ref) => files.to([], project, ref),
    });
    const news = await Promise.all([changes.find(), files.find()]);
    if (!news.includes(true)) return plan;
  }
}

/** Answers to one kind of question: those that are not known when they are asked for are found afterwards. */
class Answers<Question extends unknown[], Answer> {
  readonly #known = new Map<string, Answer>();
  readonly #wanted = new Map<string, Question>();

  constructor(
    private readonly ask: (...question: Question) => Promise<Answer>,
    private readonly none: Answer,
  ) {}

  /** @param meanwhile what is answered as long as it is not known */
  to(meanwhile: Answer, ...question: Question): Answer {
    const key = JSON.stringify(question);
    if (this.#known.has(key)) return this.#known.get(key) as Answer;
    this.#wanted.set(key, question);
    return meanwhile;
  }

  /** @returns whether there was anything to find */
  async find(): Promise<boolean> {
    const left = answersAtMost - this.#known.size;
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    const found = wanted.map(async ([key, question], index) => {
      this.#known.set(key, index < left ? await this.ask(...question) : this.none);
    });
    await Promise.all(found);
    return wanted.length > 0;
  }
}
