//! Parts of a search, and of the hits inside its answer.
use crate::form::{CUTTING, Form, Key, Never, PAST_FILTER, granted, key, plain};
use crate::scope::Grant;

pub(crate) const NEVER: &[Never] = &[
    ("terminate_after", CUTTING),
    ("allow_partial_search_results", CUTTING),
    ("slice", CUTTING),
    ("search_after", CUTTING),
    ("pit", PAST_FILTER),
    ("knn", PAST_FILTER),
    ("retriever", PAST_FILTER),
    ("rank", PAST_FILTER),
    ("sub_searches", PAST_FILTER),
];

/// A field with options for showing it.
const SHOWN: Form =
    Form::Each(&Form::ScalarOr(&Form::Keys(&[plain("field"), plain("format"), plain("include_unmapped")])));
/// What to keep of a source.
const SOURCE: Form = Form::Each(&Form::ScalarOr(&Form::Keys(&[
    key("includes", Form::Scalars),
    key("include", Form::Scalars),
    key("excludes", Form::Scalars),
    key("exclude", Form::Scalars),
])));
const SCRIPT_FIELDS: Key = granted(
    "script_fields",
    Form::Named(&Form::Keys(&[key("script", Form::Script), plain("ignore_failure")])),
    Grant::Scripts,
);

macro_rules! highlighting {
    ($($more:expr),*) => {
        &[
            plain("type"),
            plain("force_source"),
            plain("boundary_chars"),
            plain("boundary_max_scan"),
            plain("boundary_scanner"),
            plain("boundary_scanner_locale"),
            plain("fragmenter"),
            plain("fragment_offset"),
            plain("fragment_size"),
            key("matched_fields", Form::Scalars),
            plain("no_match_size"),
            plain("number_of_fragments"),
            plain("order"),
            plain("phrase_limit"),
            key("pre_tags", Form::Scalars),
            key("post_tags", Form::Scalars),
            plain("tags_schema"),
            plain("encoder"),
            plain("require_field_match"),
            plain("max_analyzed_offset"),
            key("highlight_query", Form::Query),
            $($more),*
        ]
    };
}
const HIGHLIGHT: Form =
    Form::Keys(highlighting!(key("fields", Form::Each(&Form::Named(&Form::Keys(highlighting!()))))));

macro_rules! hits {
    ($($more:expr),*) => {
        &[
            plain("from"),
            plain("size"),
            key("sort", Form::Sort),
            key("_source", SOURCE),
            key("fields", SHOWN),
            key("docvalue_fields", SHOWN),
            key("stored_fields", Form::Scalars),
            key("highlight", HIGHLIGHT),
            plain("version"),
            plain("seq_no_primary_term"),
            plain("track_scores"),
            SCRIPT_FIELDS,
            $($more),*
        ]
    };
}

/// Hits of a bucket.
pub(crate) const TOP_HITS: &[Key] = hits!();

/// Objects inside a hit, or hits that it stands for.
pub(crate) const INNER_HITS: &[Key] = hits!(plain("name"), plain("ignore_unmapped"));

/// Fields that a search defines.
const RUNTIME: Form = Form::Named(&Form::Keys(&[
    plain("type"),
    plain("format"),
    plain("on_script_error"),
    key("fields", Form::Data),
    granted("script", Form::Script, Grant::Scripts),
    granted("target_index", Form::Index, Grant::Lookups),
    granted("target_field", Form::Scalar, Grant::Lookups),
    granted("input_field", Form::Scalar, Grant::Lookups),
    granted("fetch_fields", Form::Data, Grant::Lookups),
]));

pub(crate) const PARTS: &[Key] = hits!(
    key("query", Form::Query),
    key("post_filter", Form::Query),
    key("aggs", Form::Aggs),
    key("aggregations", Form::Aggs),
    plain("track_total_hits"),
    plain("timeout"),
    plain("min_score"),
    key(
        "collapse",
        Form::Keys(&[
            plain("field"),
            plain("max_concurrent_group_searches"),
            key("inner_hits", Form::Each(&Form::Keys(INNER_HITS)))
        ])
    ),
    // Their scores count how often the whole index has a term.
    granted("explain", Form::Scalar, Grant::WholeIndex),
    granted(
        "rescore",
        Form::Each(&Form::Keys(&[
            plain("window_size"),
            key(
                "query",
                Form::Keys(&[
                    key("rescore_query", Form::Query),
                    plain("query_weight"),
                    plain("rescore_query_weight"),
                    plain("score_mode"),
                ])
            ),
        ])),
        Grant::WholeIndex
    ),
    granted("runtime_mappings", RUNTIME, Grant::RuntimeFields),
    granted("derived", RUNTIME, Grant::RuntimeFields),
    granted("suggest", Form::Data, Grant::Suggesters)
);

/// Options of a sort key.
pub(crate) const SORT_OPTIONS: &[Key] = &[
    plain("order"),
    plain("mode"),
    plain("missing"),
    plain("unmapped_type"),
    plain("numeric_type"),
    plain("format"),
    key("nested", NESTED_SORT),
];
const NESTED_SORT: Form = Form::Keys(&[
    plain("path"),
    plain("max_children"),
    key("filter", Form::Query),
    key("nested", Form::Keys(&[plain("path"), plain("max_children"), key("filter", Form::Query)])),
]);

/// Sort keys that are no fields.
pub(crate) const SORTS: &[Key] = &[
    key(
        "_geo_distance",
        Form::Fields(
            &Form::Place,
            &[
                plain("order"),
                plain("unit"),
                plain("mode"),
                plain("distance_type"),
                plain("ignore_unmapped"),
                key("nested", NESTED_SORT),
            ],
        ),
    ),
    granted(
        "_script",
        Form::Keys(&[
            plain("type"),
            plain("order"),
            plain("mode"),
            key("script", Form::Script),
            key("nested", NESTED_SORT),
        ]),
        Grant::Scripts,
    ),
];

/// A script as a map.
pub(crate) const SCRIPT: &[Key] = &[
    plain("source"),
    plain("inline"),
    plain("id"),
    plain("stored"),
    plain("lang"),
    key("params", Form::Data),
    key("options", Form::Data),
];
